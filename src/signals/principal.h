/** @file principal.h
 *  Principal components of rows of numbers, by LAPACK.
 */
#ifndef SIGNALS_PRINCIPAL_H
#define SIGNALS_PRINCIPAL_H

#include "engram/status.h"

/** The first @p components principal components of @p rows samples of @p columns numbers (Pearson 1901): eigenvectors of the covariance, or, where there are
 *  fewer rows than columns, of the products of rows with each other. The sign of each is such that its largest loading is positive. Not collective.
 *  @param[in,out] values [rows][columns]; the mean of each column is subtracted
 *  @param[out] scores [rows][components] @param[out] kept part of the variance that they keep, of 1
 *  @return STATUS_FAILURE after status_fail() when LAPACK finds none */
status principal_components(double *values, int rows, int columns, int components, double *scores, double *kept);

#endif
