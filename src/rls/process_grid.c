#include "process_grid.h"

int Csys2blacs_handle(MPI_Comm comm);
void Cfree_blacs_system_handle(int handle);
void Cblacs_gridinit(int *blacs, const char *order, int rows, int columns);
void Cblacs_gridexit(int blacs);

process_grid grid_new(const context *context, int columns) {
    process_grid grid = {.context = *context, .rows = context->ranks / columns, .columns = columns};
    if (grid.rows * columns != context->ranks) context_abort("process grid: %d columns do not divide %d ranks", columns, context->ranks);
    grid.row = context->rank / columns;
    grid.column = context->rank % columns;
    CHECK_MPI(MPI_Comm_dup(context->comm, &grid.comm));
    grid.handle = grid.blacs = Csys2blacs_handle(grid.comm);
    Cblacs_gridinit(&grid.blacs, "Row-major", grid.rows, columns);
    return grid;
}

void grid_free(process_grid *grid) {
    Cblacs_gridexit(grid->blacs);
    Cfree_blacs_system_handle(grid->handle);
    CHECK_MPI(MPI_Comm_free(&grid->comm));
}

static void describe(int blacs, int64_t rows, int64_t columns, int row_block, int column_block, int64_t ld, int descriptor[DESCRIPTOR_LENGTH]) {
    enum { DENSE = 1 };
    const int values[DESCRIPTOR_LENGTH] = {DENSE, blacs, (int)rows, (int)columns, row_block, column_block, 0, 0, (int)(ld > 0 ? ld : 1)};
    for (int k = 0; k < DESCRIPTOR_LENGTH; k++) descriptor[k] = values[k];
}

void grid_describe(const process_grid *grid, int64_t n, int64_t ld, int descriptor[DESCRIPTOR_LENGTH]) {
    describe(grid->blacs, n, n, GRID_BLOCK, GRID_BLOCK, ld, descriptor);
}

void grid_describe_columns(const process_grid *row, int64_t n, int width, int descriptor[DESCRIPTOR_LENGTH]) {
    describe(row->blacs, n, (int64_t)width * row->columns, (int)n, width, n, descriptor);
}

void grid_describe_rows(const process_grid *column, int64_t n, int width, int descriptor[DESCRIPTOR_LENGTH]) {
    describe(column->blacs, (int64_t)width * column->rows, n, width, (int)n, width, descriptor);
}
