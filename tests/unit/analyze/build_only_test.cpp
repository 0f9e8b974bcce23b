#include "plugin/analyze/build_only.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paceline::analyze {
namespace {

Package dpkg(const std::string& name, const std::string& section = "libs",
             std::vector<std::vector<std::string>> depends = {}) {
  Package package;
  package.name = name;
  package.section = section;
  package.depends = std::move(depends);
  return package;
}

std::vector<std::string> build_only(std::vector<Package> packages) {
  find_build_only(packages);
  std::vector<std::string> names;
  for (const auto& package : packages) {
    if (package.build_only) names.push_back(package.name);
  }
  return names;
}

TEST(BuildOnly, CompilersHeadersAndTools) {
  EXPECT_THAT(build_only({dpkg("libc6"), dpkg("libc6-dev", "libdevel", {{"libc6"}}), dpkg("gcc-12", "devel"),
                          dpkg("gcc-12-base"), dpkg("build-essential", "devel", {{"gcc"}, {"make"}}),
                          dpkg("make", "devel"), dpkg("python3-dev", "python"), dpkg("python3.11", "python"),
                          dpkg("cpp-12", "interpreters"), dpkg("gdb", "devel"), dpkg("ffmpeg", "video")}),
              testing::ElementsAre("libc6-dev", "gcc-12", "build-essential", "make", "python3-dev", "cpp-12"));
}

TEST(BuildOnly, WhatSomethingNeedsAtRunTimeStaysWithAllThatItNeeds) {
  EXPECT_THAT(build_only({dpkg("application", "misc", {{"g++"}}), dpkg("g++", "devel", {{"g++-12"}}),
                          dpkg("g++-12", "devel", {{"libstdc++-12-dev"}}), dpkg("libstdc++-12-dev", "libdevel"),
                          dpkg("libssl-dev", "libdevel")}),
              testing::ElementsAre("libssl-dev"));
}

TEST(BuildOnly, AnAlternativeThatStaysIsEnough) {
  EXPECT_THAT(
      build_only({dpkg("tool", "utils", {{"make", "busybox"}}), dpkg("busybox", "utils"), dpkg("make", "devel")}),
      testing::ElementsAre("make"));
  EXPECT_TRUE(
      build_only({dpkg("tool", "utils", {{"make", "cmake"}}), dpkg("cmake", "devel"), dpkg("make", "devel")}).empty());
}

TEST(BuildOnly, ProvidedNamesCount) {
  auto gcc = dpkg("gcc", "devel");
  gcc.provides = {"c-compiler"};
  EXPECT_TRUE(build_only({gcc, dpkg("dkms-like", "kernel", {{"c-compiler"}})}).empty());
}

TEST(BuildOnly, RequiredPackagesStay) {
  auto package = dpkg("dpkg-dev", "devel");
  package.required = true;
  EXPECT_TRUE(build_only({package}).empty());
}

Package python(const std::string& name) {
  Package package;
  package.kind = PackageKind::kPython;
  package.name = name;
  return package;
}

TEST(BuildOnly, AllOfItStaysWhereSomethingCompilesAtRunTime) {
  const std::vector<Package> chain = {dpkg("gcc", "devel"), dpkg("binutils", "devel"), dpkg("libc6-dev", "libdevel"),
                                      dpkg("python3.11-dev", "python")};
  for (const char* name : {"Triton", "torch", "deepspeed", "flashinfer_python", "cupy-cuda12x"}) {
    auto packages = chain;
    packages.push_back(python(name));
    EXPECT_TRUE(compiles_at_run_time(packages)) << name;
    EXPECT_TRUE(build_only(packages).empty()) << name;
  }
  for (const char* name : {"numba", "jax", "numpy", "torchvision", "cupyx"}) {
    auto packages = chain;
    packages.push_back(python(name));
    EXPECT_FALSE(compiles_at_run_time(packages)) << name;
    EXPECT_EQ(build_only(packages).size(), chain.size()) << name;
  }
}

TEST(BuildOnly, TheSectionDevelAlsoHasWhatRuns) {
  EXPECT_TRUE(build_only({dpkg("linux-perf", "devel"), dpkg("bpftrace", "devel"), dpkg("valgrind", "devel"),
                          dpkg("gettext", "devel"), dpkg("skopeo", "devel"), dpkg("libbinutils", "devel"),
                          dpkg("llvm-14-runtime", "devel"), dpkg("gcc-12-x86-64-linux-gnu-base", "devel")})
                  .empty());
  EXPECT_EQ(build_only({dpkg("binutils", "devel"), dpkg("binutils-common", "devel"),
                        dpkg("binutils-x86-64-linux-gnu", "devel"), dpkg("gcc-x86-64-linux-gnu", "devel"),
                        dpkg("clang-14", "devel"), dpkg("llvm-14", "devel"), dpkg("lld", "devel"),
                        dpkg("clang-format-14", "devel"), dpkg("g++-multilib", "devel"), dpkg("cmake-data", "devel"),
                        dpkg("ninja-build", "devel"), dpkg("libc-dev-bin", "libdevel"), dpkg("golang-1.19-go", "devel"),
                        dpkg("golang-go", "golang"), dpkg("linux-libc-dev", "devel"), dpkg("libtool", "devel")})
                .size(),
            16U);
}

/// With a library as programs load it.
Package with_library(Package package) {
  package.paths = {"usr/share/man/man8/ld.so.8.gz", "usr/local/cuda-12.2/lib64/lib" + package.name + ".so.12"};
  return package;
}

TEST(BuildOnly, TheRuntimeOfCudaStays) {
  const std::string section = "multiverse/devel";
  EXPECT_TRUE(
      build_only({dpkg("cuda-libraries-12-2", section, {{"cuda-cudart-12-2"}, {"cuda-nvrtc-12-2"}}),
                  with_library(dpkg("cuda-cudart-12-2", section)), with_library(dpkg("cuda-nvrtc-12-2", section)),
                  dpkg("cuda-compat-12-2", section), with_library(dpkg("libcublas-12-2", section))})
          .empty());
  EXPECT_TRUE(build_only({dpkg("cuda-toolkit-12-2-config-common", section), dpkg("nvidia-headers", "libdevel"),
                          dpkg("nvidia-container-toolkit", "utils"),
                          with_library(dpkg("cuda-nvcc-11-8", section))})  // libnvvm.so.4, for numba.
                  .empty());
  EXPECT_EQ(build_only({dpkg("cuda-cudart-dev-12-2", section), dpkg("cuda-nvcc-12-2", section),
                        dpkg("cuda-toolkit-12-2", section), dpkg("libcublas-dev-12-2", section)})
                .size(),
            4U);
}

TEST(BuildOnly, WhatBringsALibraryForProgramsStaysUnlessItIsACompiler) {
  EXPECT_THAT(build_only({with_library(dpkg("libthing-tools", "libdevel")), with_library(dpkg("make", "devel")),
                          with_library(dpkg("gcc-14", "devel")), with_library(dpkg("libthing-dev", "libdevel"))}),
              testing::ElementsAre("gcc-14", "libthing-dev"));
  auto links = dpkg("libthing-tools", "libdevel");
  links.paths = {"usr/lib/libthing.so", "usr/share/man/man8/ld.so.8.gz"};
  EXPECT_EQ(build_only({links}).size(), 1U);
}

TEST(BuildOnly, ManyPackagesOfOneNameCostNoMoreThanOthers) {
  // Each of them was looked at for each of them: hours.
  std::vector<Package> packages(100'000, dpkg("a", "libs", {{"a", "b-dev"}, {"c-dev"}, {"c-dev"}}));
  packages.push_back(dpkg("b-dev", "libdevel"));
  for (int i = 0; i < 10'000; ++i) packages.push_back(dpkg("c-dev", "libdevel", {{"c-dev"}}));
  EXPECT_THAT(build_only(packages), testing::ElementsAre("b-dev"));
}

TEST(BuildOnly, ApkPackages) {
  Package gcc = dpkg("gcc", ""), musl = dpkg("musl", ""), dev = dpkg("musl-dev", "");
  for (Package* package : {&gcc, &musl, &dev}) package->kind = PackageKind::kApk;
  EXPECT_THAT(build_only({gcc, musl, dev}), testing::ElementsAre("gcc", "musl-dev"));
}

TEST(BuildOnly, DependenciesInACircleEnd) {
  EXPECT_TRUE(build_only({dpkg("a", "libs", {{"b-dev"}}), dpkg("b-dev", "libdevel", {{"c-dev"}}),
                          dpkg("c-dev", "libdevel", {{"b-dev"}, {"a"}})})
                  .empty());
}

}  // namespace
}  // namespace paceline::analyze
