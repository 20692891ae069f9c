/** @file h5_leave.h  Files that HDF5 cannot close. */
#ifndef ENGRAM_IO_H5_LEAVE_H
#define ENGRAM_IO_H5_LEAVE_H

#include <hdf5.h>

/** H5Fclose(); what cannot be closed is remembered for h5_left_open(). @return negative: it failed */
herr_t h5_leave(hid_t file);

#endif
