#include "plugin/analyze/package_databases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paceline::analyze {
namespace {

using testing::ElementsAre;

constexpr const char* kStatus =
    "Package: libc6\nStatus: install ok installed\nPriority: optional\nSection: libs\nVersion: 2.36-9\n"
    "Depends: libgcc-s1, libcrypt1 (>= 1:4.4.10-10~)\nDescription: GNU C Library\n Depends: is not a field here\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    "Package: gcc\nStatus: hold ok installed\nSection: devel\nVersion: 12\nDepends: cpp:any (= 12) | cpp-12, gcc-12\n"
    "Provides: c-compiler, gcc-x86 (= 12)\n\nPackage: bash\nEssential: yes\nStatus: install ok installed\nVersion: 5\n";

TEST(PackageDatabases, Dpkg) {
  const auto packages = parse_dpkg_status(kStatus);
  ASSERT_EQ(packages.size(), 3U);
  EXPECT_EQ(packages[0].name, "libc6");
  EXPECT_EQ(packages[0].version, "2.36-9");
  EXPECT_THAT(packages[0].depends, ElementsAre(ElementsAre("libgcc-s1"), ElementsAre("libcrypt1")));
  EXPECT_THAT(packages[1].depends, ElementsAre(ElementsAre("cpp", "cpp-12"), ElementsAre("gcc-12")));
  EXPECT_THAT(packages[1].provides, ElementsAre("c-compiler", "gcc-x86"));
  EXPECT_TRUE(packages[2].required);
}

TEST(PackageDatabases, Apk) {
  const auto packages = parse_apk_installed(
      "C:Q1\nP:musl\nV:1.2.4-r2\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nF:usr/"
      "lib\nR:x\n\n"
      "P:gcc\nV:13\nD:binutils so:libc.musl-x86_64.so.1 !uclibc zlib>=1.2\nF:usr/bin\nR:gcc\n");
  ASSERT_EQ(packages.size(), 2U);
  EXPECT_THAT(packages[0].paths, ElementsAre("lib/ld-musl-x86_64.so.1", "usr/lib/x"));
  EXPECT_THAT(packages[0].provides, ElementsAre("so:libc.musl-x86_64.so.1"));
  EXPECT_THAT(packages[1].depends,
              ElementsAre(ElementsAre("binutils"), ElementsAre("so:libc.musl-x86_64.so.1"), ElementsAre("zlib")));
}

TEST(PackageDatabases, PythonDistInfo) {
  const auto package =
      parse_dist_info("Metadata-Version: 2.1\nName: numpy\nVersion: 1.26\n\nName: not this\n",
                      "numpy/core.so,sha256=abc,100\n\"numpy/a, b.py\",,\n../../../bin/f2py,sha256=x,3\n/abs/file,,\n",
                      "usr/lib/python3/site-packages");
  ASSERT_TRUE(package);
  EXPECT_EQ(package->name, "numpy");
  EXPECT_EQ(package->version, "1.26");
  EXPECT_THAT(package->paths, ElementsAre("usr/lib/python3/site-packages/numpy/core.so",
                                          "usr/lib/python3/site-packages/numpy/a, b.py", "usr/bin/f2py", "abs/file"));
  EXPECT_FALSE(parse_dist_info("no name here\n", "", ""));
}

TEST(PackageDatabases, AllOfThemTogether) {
  const std::map<std::string, std::string_view> files = {
      {"var/lib/dpkg/status", kStatus},
      {"var/lib/dpkg/info/libc6:amd64.list", "/.\n/usr\n/usr/lib/libc.so.6\n"},
      {"var/lib/dpkg/info/bash.list", "/bin/bash\n"},
      {"var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\n"},
      {"var/lib/dpkg/status.d/tzdata.md5sums", "d41d8cd98f00b204e9800998ecf8427e  usr/share/zoneinfo/UTC\n"},
      {"app/site-packages/flask-3.0.dist-info/METADATA", "Name: flask\nVersion: 3.0\n"},
      {"app/site-packages/flask-3.0.dist-info/RECORD", "flask/app.py,,\n"}};
  for (const auto& [path, text] : files) EXPECT_EQ(is_package_database(path), true) << path;
  const auto packages = read_packages(files);
  ASSERT_EQ(packages.size(), 5U);
  EXPECT_THAT(packages[0].paths, ElementsAre("usr", "usr/lib/libc.so.6"));
  EXPECT_EQ(packages[3].name, "tzdata");
  EXPECT_THAT(packages[3].paths, ElementsAre("usr/share/zoneinfo/UTC"));
  EXPECT_THAT(packages[4].paths, ElementsAre("app/site-packages/flask/app.py"));
}

TEST(PackageDatabases, NonsenseIsPassedOver) {
  for (const char* text :
       {"", "\n\n\n", ":\n", "Package:\nStatus: install ok installed\n", " continued\n", "P:\n", "\xff\xfe"}) {
    EXPECT_TRUE(parse_dpkg_status(text).empty()) << text;
    EXPECT_TRUE(parse_apk_installed(text).empty()) << text;
  }
  EXPECT_FALSE(is_package_database("usr/share/doc/status"));
}

}  // namespace
}  // namespace paceline::analyze
