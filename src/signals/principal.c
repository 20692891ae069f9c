#include "principal.h"

#include <math.h>

#include "engram/memory.h"

void dsyev_(const char *job, const char *half, const int *n, double *a, const int *stride, double *eigenvalues, double *work, const int *length, int *info);

/** Subtract the mean of each column. @return the sum of squares that is left */
static double centre(double *values, int rows, int columns) {
    double squares = 0;
    for (int u = 0; u < columns; u++) {
        double sum = 0;
        for (int r = 0; r < rows; r++) sum += values[(int64_t)r * columns + u];
        for (int r = 0; r < rows; r++) {
            double *value = &values[(int64_t)r * columns + u];
            *value -= sum / rows;
            squares += *value * *value;
        }
    }
    return squares;
}

/** Products of columns with each other, or of rows. @param[out] products [n][n] */
static void multiply(const double *values, int rows, int columns, bool of_rows, double *products) {
    int n = of_rows ? rows : columns, length = of_rows ? columns : rows;
    int64_t next = of_rows ? columns : 1, step = of_rows ? 1 : columns;
    for (int a = 0; a < n; a++)
        for (int b = 0; b <= a; b++) {
            double sum = 0;
            for (int i = 0; i < length; i++) sum += values[a * next + i * step] * values[b * next + i * step];
            products[(int64_t)a * n + b] = products[(int64_t)b * n + a] = sum;
        }
}

/** Eigenvalues, ascending, and eigenvectors, the rows of @p matrix [n][n] afterwards. @return LAPACK's word, 0 for success */
static int diagonalise(int n, double *matrix, double *eigenvalues) {
    int info, query = -1;
    double best;
    dsyev_("V", "U", &n, matrix, &n, eigenvalues, &best, &query, &info);
    int length = (int)best;
    double *work = memory_new(MEMORY_BUFFERS, (size_t)length, sizeof *work);
    dsyev_("V", "U", &n, matrix, &n, eigenvalues, work, &length, &info);
    memory_free(work);
    return info;
}

/** One component: scores from loadings, whose largest is made positive. @param loadings [columns] of length 1
 *  @param[out] score with a stride of @p components */
static void project(const double *values, int rows, int columns, double *loadings, int components, double *score) {
    int largest = 0;
    for (int u = 1; u < columns; u++)
        if (fabs(loadings[u]) > fabs(loadings[largest])) largest = u;
    double sign = loadings[largest] < 0 ? -1 : 1;
    for (int r = 0; r < rows; r++) {
        double sum = 0;
        for (int u = 0; u < columns; u++) sum += values[(int64_t)r * columns + u] * loadings[u];
        score[(int64_t)r * components] = sign * sum;
    }
}

/** Loadings from an eigenvector of products of rows. @param vector [rows] @param[out] loadings [columns] */
static void load_from_rows(const double *values, int rows, int columns, const double *vector, double *loadings) {
    double squares = 0;
    for (int u = 0; u < columns; u++) {
        loadings[u] = 0;
        for (int r = 0; r < rows; r++) loadings[u] += vector[r] * values[(int64_t)r * columns + u];
        squares += loadings[u] * loadings[u];
    }
    for (int u = 0; u < columns && squares > 0; u++) loadings[u] /= sqrt(squares);
}

status principal_components(double *values, int rows, int columns, int components, double *scores, double *kept) {
    bool of_rows = rows < columns;
    int n = of_rows ? rows : columns;
    double all = centre(values, rows, columns);
    double *matrix = memory_new(MEMORY_BUFFERS, (size_t)n * (size_t)n, sizeof *matrix);
    double *eigenvalues = memory_new(MEMORY_BUFFERS, (size_t)n, sizeof *eigenvalues);
    double *loadings = memory_new(MEMORY_BUFFERS, (size_t)columns, sizeof *loadings);
    multiply(values, rows, columns, of_rows, matrix);
    int info = diagonalise(n, matrix, eigenvalues);
    *kept = 0;
    for (int c = 0; c < components && info == 0; c++) {
        double *vector = matrix + (int64_t)(n - 1 - c) * n;
        *kept += eigenvalues[n - 1 - c] / all;
        if (of_rows) load_from_rows(values, rows, columns, vector, loadings);
        project(values, rows, columns, of_rows ? loadings : vector, components, scores + c);
    }
    memory_free(matrix), memory_free(eigenvalues), memory_free(loadings);
    return info == 0 ? STATUS_OK : status_fail(STATUS_FAILURE, "principal components: LAPACK's dsyev gives %d", info);
}
