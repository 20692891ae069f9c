# Recipe for Spack. In the top folder of a checkout:
#   spack repo add tools/packaging/spack
#   spack dev-build -d $PWD engram@0.1.0
#
# Tried: its phases by hand on Debian 12: cmake with the options that cmake_args() gives, build, install into an empty prefix, check_install(), a run; that Python
# reads this file.
# Could not be tried: Spack itself, so neither names and versions of dependencies nor the build in its environment.
from spack.package import *


class Engram(CMakePackage):
    """Trains recurrent networks of spiking neurons on clusters: recursive least squares, tight balance, dendritic codes, gradients through spikes."""

    version("0.1.0")  # the sources are those of dev-build: there is no archive to fetch

    variant("tools", default=True, description="Python packages that figures, imports and studies need")

    depends_on("c", type="build")
    depends_on("cmake@3.18:", type="build")
    depends_on("ninja", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("hdf5@1.10:+mpi~threadsafe")
    depends_on("blas")
    depends_on("scalapack")
    depends_on("libyaml")
    depends_on("zlib")
    depends_on("libpng")
    depends_on("random123", type="build")  # headers only, as xxHash is used
    depends_on("xxhash", type="build")
    with when("+tools"):
        depends_on("python@3.9:", type="run")
        for package in ("py-numpy", "py-h5py", "py-scipy", "py-matplotlib", "py-pyyaml"):
            depends_on(package, type="run")

    generator("ninja")

    def cmake_args(self):
        spec = self.spec
        return [
            self.define("BUILD_TESTING", False),
            self.define("ENGRAM_NATIVE", False),  # Spack's compiler wrapper adds the options of the target
            self.define("CMAKE_INSTALL_RPATH_USE_LINK_PATH", True),
            self.define("MPI_C_COMPILER", spec["mpi"].mpicc),
            self.define("HDF5_ROOT", spec["hdf5"].prefix),
            self.define("SCALAPACK_LIBRARIES", spec["scalapack"].libs.joined(";")),
            self.define("RANDOM123_INCLUDE_DIR", spec["random123"].prefix.include),
            self.define("XXHASH_INCLUDE_DIR", spec["xxhash"].prefix.include),
            self.define("YAML_INCLUDE_DIR", spec["libyaml"].prefix.include),
            self.define("YAML_LIBRARY", join_path(spec["libyaml"].libs.directories[0], "libyaml.so")),
            self.define("ZLIB_ROOT", spec["zlib"].prefix),
            self.define("PNG_ROOT", spec["libpng"].prefix),
        ]

    @run_after("install")
    def check_install(self):
        Executable(self.prefix.bin.engram)("--version")
