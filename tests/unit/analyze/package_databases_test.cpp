#include "plugin/analyze/package_databases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace paceline::analyze {
namespace {

using testing::ElementsAre;

constexpr const char* kStatus =
    "Package: libc6\nStatus: install ok installed\nPriority: optional\nSection: libs\nVersion: 2.36-9\n"
    "Architecture: amd64\n"
    "Depends: libgcc-s1, libcrypt1 (>= 1:4.4.10-10~)\nDescription: GNU C Library\n Depends: is not a field here\n\n"
    "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    "Package: gcc\nStatus: hold ok installed\nSection: devel\nVersion: 12\nDepends: cpp:any (= 12) | cpp-12, gcc-12\n"
    "Provides: c-compiler, gcc-x86 (= 12)\n\nPackage: bash\nEssential: yes\nStatus: install ok installed\nVersion: 5\n";

TEST(PackageDatabases, Dpkg) {
  PackageBudget budget;
  const auto packages = parse_dpkg_status(kStatus, budget);
  ASSERT_EQ(packages.size(), 3U);
  EXPECT_EQ(packages[0].name, "libc6");
  EXPECT_EQ(packages[0].version, "2.36-9");
  EXPECT_EQ(packages[0].architecture, "amd64");
  EXPECT_THAT(packages[0].depends, ElementsAre(ElementsAre("libgcc-s1"), ElementsAre("libcrypt1")));
  EXPECT_THAT(packages[1].depends, ElementsAre(ElementsAre("cpp", "cpp-12"), ElementsAre("gcc-12")));
  EXPECT_THAT(packages[1].provides, ElementsAre("c-compiler", "gcc-x86"));
  EXPECT_TRUE(packages[2].required);
}

TEST(PackageDatabases, AFoldedFieldIsAllOfItsLines) {
  PackageBudget budget;
  const auto packages = parse_dpkg_status(
      "Package: app\n of no use\nStatus: install ok installed\nDepends: libc6\n (>= 2),\n\tgcc-12 |\n clang,\n"
      "Pre-Depends:\n dpkg\nProvides: a,\n b\nProvides: c\n , d\nConffiles:\n /etc/a, b\nno field\n Depends: x\n\n"
      " Depends: y\nPackage: next\n",
      budget);
  ASSERT_EQ(packages.size(), 2U);
  EXPECT_EQ(packages[0].name, "app");
  EXPECT_THAT(packages[0].depends,
              ElementsAre(ElementsAre("libc6"), ElementsAre("gcc-12", "clang"), ElementsAre("dpkg")));
  EXPECT_THAT(packages[0].provides, ElementsAre("a", "b"));
  EXPECT_EQ(packages[1].name, "next");
  EXPECT_TRUE(packages[1].depends.empty());
}

TEST(PackageDatabases, Apk) {
  PackageBudget budget;
  const auto packages = parse_apk_installed(
      "C:Q1\nP:musl\nV:1.2.4-r2\np:so:libc.musl-x86_64.so.1=1\nF:lib\nR:ld-musl-x86_64.so.1\na:0:0:755\nF:usr/"
      "lib\nR:x\n\n"
      "P:gcc\nV:13\nD:binutils so:libc.musl-x86_64.so.1 !uclibc zlib>=1.2\nF:usr/bin\nR:gcc\n",
      budget);
  ASSERT_EQ(packages.size(), 2U);
  EXPECT_THAT(packages[0].paths, ElementsAre("lib/ld-musl-x86_64.so.1", "usr/lib/x"));
  EXPECT_THAT(packages[0].provides, ElementsAre("so:libc.musl-x86_64.so.1"));
  EXPECT_THAT(packages[1].depends,
              ElementsAre(ElementsAre("binutils"), ElementsAre("so:libc.musl-x86_64.so.1"), ElementsAre("zlib")));
}

TEST(PackageDatabases, PythonDistInfo) {
  PackageBudget budget;
  const auto package =
      parse_dist_info("Metadata-Version: 2.1\nName: numpy\nVersion: 1.26\n\nName: not this\n",
                      "numpy/core.so,sha256=abc,100\n\"numpy/a, b.py\",,\n../../../bin/f2py,sha256=x,3\n/abs/file,,\n",
                      "usr/lib/python3/site-packages", budget);
  ASSERT_TRUE(package);
  EXPECT_EQ(package->name, "numpy");
  EXPECT_EQ(package->version, "1.26");
  EXPECT_THAT(package->paths, ElementsAre("usr/lib/python3/site-packages/numpy/core.so",
                                          "usr/lib/python3/site-packages/numpy/a, b.py", "usr/bin/f2py", "abs/file"));
  EXPECT_FALSE(parse_dist_info("no name here\n", "", "", budget));
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
  const auto read = read_packages(files);
  ASSERT_TRUE(read);
  const auto& packages = *read;
  ASSERT_EQ(packages.size(), 5U);
  EXPECT_THAT(packages[0].paths, ElementsAre("usr", "usr/lib/libc.so.6"));
  EXPECT_EQ(packages[3].name, "tzdata");
  EXPECT_THAT(packages[3].paths, ElementsAre("usr/share/zoneinfo/UTC"));
  EXPECT_THAT(packages[4].paths, ElementsAre("app/site-packages/flask/app.py"));
}

TEST(PackageDatabases, EachArchitectureHasItsOwnList) {
  const std::map<std::string, std::string_view> files = {
      {"var/lib/dpkg/status",
       "Package: libc6\nArchitecture: amd64\nVersion: 2\n\nPackage: libc6\nArchitecture: i386\nVersion: 2\n\n"
       "Package: bash\nArchitecture: amd64\nVersion: 5\n"},
      {"var/lib/dpkg/info/libc6:amd64.list", "/lib64/libc.so.6\n"},
      {"var/lib/dpkg/info/libc6:i386.list", "/lib/libc.so.6\n"},
      {"var/lib/dpkg/info/bash.list", "/bin/bash\n"}};
  const auto packages = read_packages(files);
  ASSERT_TRUE(packages);
  ASSERT_EQ(packages->size(), 3U);
  EXPECT_THAT((*packages)[0].paths, ElementsAre("lib64/libc.so.6"));
  EXPECT_THAT((*packages)[1].paths, ElementsAre("lib/libc.so.6"));
  EXPECT_THAT((*packages)[2].paths, ElementsAre("bin/bash"));
}

TEST(PackageDatabases, AListIsOnePackagesHoweverOftenItIsNamed) {
  std::string status;
  for (int i = 0; i < 1000; ++i) status += "Package: a\nArchitecture: all\nVersion: " + std::to_string(i) + "\n\n";
  const std::map<std::string, std::string_view> files = {{"var/lib/dpkg/status", status},
                                                         {"var/lib/dpkg/info/a.list", "/a\n/b\n"},
                                                         {"var/lib/dpkg/status.d/a", status},
                                                         {"var/lib/dpkg/status.d/a.md5sums", "0  c\n"}};
  const auto packages = read_packages(files);
  ASSERT_TRUE(packages);
  std::size_t paths = 0;
  for (const auto& package : *packages) paths += package.paths.size();
  EXPECT_EQ(paths, 3U);
}

TEST(PackageDatabases, PathsHaveABudget) {
  const std::string folder(1000, 'x');
  const std::string record = "a,,\nb,,\nc,,\n", apk = "P:a\nF:" + folder + "\nR:b\nR:c\nR:d\n";
  const std::map<std::string, std::string_view> files = {{"lib/apk/db/installed", apk},
                                                         {folder + "/n-1.dist-info/METADATA", "Name: n\n"},
                                                         {folder + "/n-1.dist-info/RECORD", record},
                                                         {"var/lib/dpkg/status", "Package: p\nVersion: 1\n"},
                                                         {"var/lib/dpkg/info/p.list", "/d\n"}};
  EXPECT_TRUE(read_packages(files, PackageBudget(7, 7000)));
  for (const auto& budget : {PackageBudget(6, 7000), PackageBudget(7, 6000)}) {
    const auto packages = read_packages(files, budget);
    ASSERT_FALSE(packages);
    EXPECT_EQ(packages.error().code, Code::kResourceExhausted);
  }
}

std::string refusal_of(const std::string& path, const std::string& text,
                       const PackageBudget& budget = PackageBudget()) {
  const auto packages = read_packages({{path, text}}, budget);
  if (packages) return {};
  EXPECT_EQ(packages.error().code, Code::kResourceExhausted);
  return packages.error().message;
}

std::string repeat(const std::string& text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(PackageDatabases, NamesHaveABudget) {
  const std::string status = "var/lib/dpkg/status", apk = "lib/apk/db/installed";
  const std::string many = "the image's package databases list more dependencies than any image has";
  const PackageBudget three(100, 100, 3);
  EXPECT_EQ(refusal_of(status, "Package: a\nDepends: b | c\nProvides: d\n", three), "");
  EXPECT_EQ(refusal_of(status, "Package: a\nDepends: b | c\nProvides: d, e\n", three), many);
  EXPECT_EQ(refusal_of(status, "Package: a\nPre-Depends: b, c, d, e\n", three), many);
  EXPECT_EQ(refusal_of(status, "Package: a\nDepends: " + std::string(101, 'b') + "\n", three), many);
  EXPECT_EQ(refusal_of(status, "Package: a\nDepends: " + std::string(1000, ',') + "b\n", three), "");
  EXPECT_EQ(refusal_of(apk, "P:a\nD:b c !x\np:d\n", three), "");
  EXPECT_EQ(refusal_of(apk, "P:a\nD:b c\np:d e\n", three), many);
  EXPECT_EQ(refusal_of(status, "Package: a\nDepends: " + repeat("a,", 2'000'000) + "\n\n"), many);
}

TEST(PackageDatabases, SoManyPackagesHasNoImage) {
  const std::string many = "the image's package databases list more packages than any image has";
  EXPECT_EQ(refusal_of("var/lib/dpkg/status", repeat("Package: a\n\n", 100'000)), "");
  EXPECT_EQ(refusal_of("var/lib/dpkg/status", repeat("Package: a\n\n", 100'001)), many);
  EXPECT_EQ(refusal_of("lib/apk/db/installed", repeat("P:a\n\n", 100'001)), many);
}

TEST(PackageDatabases, NonsenseIsPassedOver) {
  PackageBudget budget;
  for (const char* text :
       {"", "\n\n\n", ":\n", "Package:\nStatus: install ok installed\n", " continued\n", "P:\n", "\xff\xfe"}) {
    EXPECT_TRUE(parse_dpkg_status(text, budget).empty()) << text;
    EXPECT_TRUE(parse_apk_installed(text, budget).empty()) << text;
  }
  EXPECT_FALSE(is_package_database("usr/share/doc/status"));
}

}  // namespace
}  // namespace paceline::analyze
