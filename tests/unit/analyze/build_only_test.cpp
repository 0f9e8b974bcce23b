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

TEST(BuildOnly, CompilersStayWhereSomethingCompilesAtRunTime) {
  Package triton;
  triton.kind = PackageKind::kPython;
  triton.name = "Triton";
  EXPECT_THAT(build_only({triton, dpkg("gcc", "devel"), dpkg("libssl-dev", "libdevel")}),
              testing::ElementsAre("libssl-dev"));
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
