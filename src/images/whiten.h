/** @file whiten.h
 *  The filter that makes natural images whiter (Olshausen & Field 1997).
 */
#ifndef IMAGES_WHITEN_H
#define IMAGES_WHITEN_H

/** Filter a square with R(f) = f exp(-(f/f0)^4), f in cycles per picture, its sides taken to meet. Not collective.
 *  R depends on |f| alone, so products of a cosine plus sine of rows with one of columns, which are real, are its eigenvectors as those of Fourier's are; four
 *  products of matrices take the picture there and back.
 *  @param cutoff f0 in cycles per picture @param[in,out] picture [side][side] */
void whiten(int side, double cutoff, double *picture);

#endif
