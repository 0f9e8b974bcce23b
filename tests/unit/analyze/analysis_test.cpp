#include "plugin/analyze/analysis.h"

#include <gtest/gtest.h>

#include <array>

#include "plugin/analyze/advice.h"
#include "tests/unit/analyze/test_image.h"

namespace paceline::analyze {
namespace {

using test::analyze_tars;
using test::MemoryImage;
using test::noise;
using test::TarWriter;

const std::string kDatabase =
    "Package: gcc-12\nStatus: install ok installed\nSection: devel\nVersion: 12.2\n\n"
    "Package: app\nStatus: install ok installed\nSection: misc\nVersion: 1\nDepends: libuse-dev\n\n"
    "Package: libuse-dev\nStatus: install ok installed\nSection: libdevel\nVersion: 2\n";

/// A base with packages, a layer that adds waste, and one that deletes.
std::vector<std::string> image() {
  return {TarWriter()
              .symlink("lib", "usr/lib")
              .folder("usr")
              .file("usr/bin/gcc-12", noise(50'000, 1))
              .hard_link("usr/bin/cc", "usr/bin/gcc-12")
              .file("usr/lib/libuse.a", noise(8000, 2))
              .file("usr/bin/app", noise(20'000, 3))
              .file("usr/share/doc/app/README", noise(3000, 4))
              .file("usr/share/doc/app/copyright", "GPL")
              .file("var/lib/dpkg/status", kDatabase)
              .file("var/lib/dpkg/info/gcc-12.list", "/.\n/usr\n/usr/bin\n/usr/bin/gcc-12\n/usr/bin/cc\n")
              .file("var/lib/dpkg/info/app.list",
                    "/usr/bin/app\n/usr/share/doc/app\n/usr/share/doc/app/README\n/usr/share/doc/app/copyright\n")
              .file("var/lib/dpkg/info/libuse-dev.list", "/lib/libuse.a\n")
              .finish(),
          TarWriter()
              .file("var/lib/apt/lists/deb_Packages", noise(9000, 5))
              .file("root/.cache/pip/a", noise(7000, 6))
              .file("app/model", noise(40'000, 7))
              .file("app/copy", noise(40'000, 7))
              .file("app/m.py", "print(1)\n")
              .file("app/__pycache__/m.cpython-311.pyc", noise(500, 8))
              .file("app/__pycache__/only.cpython-311.pyc", noise(600, 9))
              .file("app/tool", noise(30'000, 10))
              .finish(),
          TarWriter().file("app/.wh.tool", "").file("app/m.py", "print(2)\n").finish()};
}

TEST(Analysis, EveryByteIsInOneClass) {
  const auto analysis = analyze_tars(image());
  EXPECT_EQ(analysis.sum(FileClass::kBuildPackage).bytes, 50'000U);  // The hard link's bytes count once …
  EXPECT_EQ(analysis.sum(FileClass::kBuildPackage).files, 2U);       // … and both names.
  EXPECT_EQ(analysis.sum(FileClass::kAptLists).bytes, 9000U);
  EXPECT_EQ(analysis.sum(FileClass::kCache).bytes, 7000U);
  EXPECT_EQ(analysis.sum(FileClass::kDocs).bytes, 3000U);
  EXPECT_EQ(analysis.sum(FileClass::kStaticLibrary).bytes, 0U);  // Of a package that app needs.
  EXPECT_EQ(analysis.sum(FileClass::kBytecode).bytes, 500U);     // The other has no source.
  EXPECT_EQ(analysis.sum(FileClass::kDuplicate).bytes, 40'000U);
  EXPECT_EQ(analysis.sum(FileClass::kHidden).bytes, 30'000U + 9U);
  EXPECT_EQ(analysis.sum(FileClass::kHidden).files, 2U);
  std::uint64_t file_bytes = 0, names = 0;
  for (const auto& layer : analysis.layers) {
    file_bytes += layer.file_bytes;
    names += layer.files + layer.hard_links + layer.symlinks + layer.others;
  }
  EXPECT_EQ(analysis.all().bytes, file_bytes);
  EXPECT_EQ(analysis.all().files, names);
  EXPECT_EQ(analysis.layers[2].whiteouts, 1U);
}

TEST(Analysis, LayersAddUpToTheImage) {
  const auto analysis = analyze_tars(image());
  for (const FileClass file_class : kAllFileClasses) {
    Sum sum;
    for (const auto& layer : analysis.layers) sum += layer.classes[static_cast<std::size_t>(file_class)];
    EXPECT_EQ(sum.bytes, analysis.sum(file_class).bytes) << name_of(file_class);
    EXPECT_EQ(sum.files, analysis.sum(file_class).files) << name_of(file_class);
  }
  EXPECT_EQ(analysis.layers[0].layer.created_by, "/bin/sh -c make layer 1");
}

TEST(Analysis, PackagesOwnTheirFilesThroughLinks) {
  const auto analysis = analyze_tars(image());
  ASSERT_EQ(analysis.packages.size(), 3U);
  EXPECT_EQ(analysis.packages[0].name, "gcc-12");
  EXPECT_TRUE(analysis.packages[0].build_only);
  EXPECT_EQ(analysis.packages[0].files, 2U);
  EXPECT_EQ(analysis.packages[0].bytes, 50'000U);
  EXPECT_EQ(analysis.packages[1].name, "app");
  EXPECT_EQ(analysis.packages[1].bytes, 20'000U + 3000 + 3);
  EXPECT_EQ(analysis.packages[2].bytes, 8000U);  // lib is a link to usr/lib.
  EXPECT_FALSE(analysis.packages[2].build_only);
}

TEST(Analysis, WhatAPurgeHasTakenAwayIsHidden) {
  auto tars = image();
  tars.push_back(TarWriter()
                     .file("usr/bin/.wh.gcc-12", "")
                     .file("usr/bin/.wh.cc", "")
                     .file("var/lib/dpkg/status", kDatabase.substr(kDatabase.find("Package: app")))
                     .file("var/lib/dpkg/info/.wh.gcc-12.list", "")
                     .finish());
  const auto analysis = analyze_tars(tars);
  EXPECT_EQ(analysis.sum(FileClass::kBuildPackage).files, 0U);
  EXPECT_EQ(analysis.packages.size(), 2U);
  EXPECT_GE(analysis.sum(FileClass::kHidden).bytes, 50'000U + 30'000U);
}

TEST(Analysis, AnInodeWithANameThatStaysStays) {
  const auto analysis = analyze_tars(
      {TarWriter().file("var/cache/apt/x", noise(10'000, 1)).hard_link("app/x", "var/cache/apt/x").finish(),
       TarWriter().file("y", "1").finish()});
  EXPECT_EQ(analysis.waste().bytes, 0U);
  EXPECT_EQ(analysis.waste().files, 0U);
}

TEST(Analysis, ANameThatStaysKeepsWhatALowerLayerBrought) {
  const auto analysis = analyze_tars(
      {TarWriter().symlink("lib", "usr/lib").file("usr/lib/libz.a", noise(10'000, 1)).file("x", "12").finish(),
       TarWriter().hard_link("keep", "lib/libz.a").hard_link("y", "x").file("usr/lib/.wh.libz.a", "").finish()});
  EXPECT_EQ(analysis.waste().files, 0U);
  // The bytes are where they were brought: links take none.
  EXPECT_EQ(analysis.all().bytes, 10'002U);
  EXPECT_EQ(analysis.layers[0].classes[static_cast<std::size_t>(FileClass::kNeeded)].bytes, 10'002U);
  EXPECT_EQ(analysis.layers[1].classes[static_cast<std::size_t>(FileClass::kNeeded)].files, 2U);
}

TEST(Analysis, NamesOfSeveralClassesAreInOne) {
  const auto analysis = analyze_tars({TarWriter()
                                          .file("usr/share/doc/x", noise(10'000, 1))
                                          .hard_link("usr/share/locale/de/LC_MESSAGES/x", "usr/share/doc/x")
                                          .file("usr/share/doc/y", noise(500, 2))
                                          .finish()});
  EXPECT_EQ(analysis.sum(FileClass::kDocs).bytes, 500U);
  EXPECT_EQ(analysis.sum(FileClass::kDocs).files, 1U);
  EXPECT_EQ(analysis.sum(FileClass::kLocale).bytes, 10'000U);
  EXPECT_EQ(paths_of(analysis, FileClass::kLocale)[0],
            (std::vector<std::string>{"usr/share/doc/x", "usr/share/locale/de/LC_MESSAGES/x"}));
  EXPECT_EQ(analysis.waste().bytes, 10'500U);
  EXPECT_EQ(analysis.waste().files, 3U);
}

TEST(Analysis, AHiddenNameOfWhatStaysIsNoDuplicate) {
  const std::string content = noise(10'000, 1);
  const auto analysis =
      analyze_tars({TarWriter().file("other", content).file("a", content).hard_link("b", "a").finish(),
                    TarWriter().file(".wh.a", "").finish()});
  EXPECT_TRUE(analysis.duplicates.empty());
  EXPECT_EQ(analysis.waste().files, 0U);  // a's bytes are b's.
}

/// "name.list" and its text, and one paragraph of each in the status.
TarWriter installed(const std::vector<std::array<std::string, 3>>& packages) {
  TarWriter tar;
  std::string status;
  for (const auto& [name, section, paths] : packages) {
    status += "Package: " + name + "\nStatus: install ok installed\nSection: " + section + "\nVersion: 1\n\n";
    tar.file("var/lib/dpkg/info/" + name + ".list", paths);
  }
  return tar.file("var/lib/dpkg/status", status);
}

TEST(Analysis, AFileOfSeveralPackagesIsOfOneThatStays) {
  const auto analysis =
      analyze_tars({installed({{"aa-dev", "libdevel", "/usr/bin/x\n/usr/bin/y\n"}, {"app", "utils", "/usr/bin/x\n"}})
                        .file("usr/bin/x", noise(30'000, 1))
                        .file("usr/bin/y", noise(5000, 2))
                        .finish()});
  EXPECT_EQ(analysis.sum(FileClass::kBuildPackage).bytes, 5000U);
  EXPECT_EQ(analysis.packages[0].name, "app");
  EXPECT_EQ(analysis.packages[0].bytes, 30'000U);
}

TEST(Analysis, WhatTheImageStartsWithStays) {
  const auto tar =
      installed({{"make", "devel", "/usr/bin/make\n/usr/share/make.h\n"}, {"cmake", "devel", "/usr/bin/cmake\n"}})
          .file("usr/bin/make", noise(30'000, 1))
          .file("usr/share/make.h", "1")
          .file("usr/bin/cmake", noise(20'000, 2))
          .file("a/copy-of-run", noise(9000, 3))
          .file("usr/share/doc/run", noise(7000, 4))
          .file("z/run", noise(9000, 3))
          .finish();
  MemoryImage image({tar});
  image.change().start = {{"make", "/z/run", "/usr/share/doc/run"}, "/usr/bin", ""};
  const auto analysis = analyze(image, {});
  ASSERT_TRUE(analysis) << analysis.error().message;
  EXPECT_EQ(analysis->sum(FileClass::kBuildPackage).bytes, 20'000U);  // cmake's.
  EXPECT_EQ(analysis->sum(FileClass::kDocs).files, 0U);
  const auto copy = analysis->tree.find("a/copy-of-run"), run = analysis->tree.find("z/run");
  EXPECT_EQ(analysis->file_classes[copy], FileClass::kDuplicate);
  EXPECT_EQ(analysis->file_classes[run], FileClass::kNeeded);
}

TEST(Analysis, WhatCompilesAtRunTimeHasAllThatItNeeds) {
  const std::string header = "usr/local/include/python3.11/Python.h", info = "app/triton-2.1.dist-info/";
  for (const bool triton : {false, true}) {
    auto tar = installed({{"libc6-dev", "libdevel", "/usr/include/stdio.h\n"}})
                   .file("usr/include/stdio.h", "1")
                   .file(header, "2")
                   .file("usr/local/lib/libpython3.11.a", "3");
    if (triton) {
      tar.file(info + "METADATA", "Name: triton\n")
          .file(info + "RECORD", "triton/a.py,,\n")
          .file("app/triton/a.py", "4");
    }
    const auto analysis = analyze_tars({tar.finish()});
    EXPECT_EQ(analysis.waste().files, triton ? 0U : 3U);
  }
}

TEST(Analysis, ALinkToAnotherPackagesLicenceStays) {
  const auto analysis = analyze_tars({TarWriter()
                                          .file("usr/share/doc/gcc-12-base/copyright", "GPL")
                                          .file("usr/share/doc/gcc-12-base/changelog", "1")
                                          .symlink("usr/share/doc/libgcc-s1", "gcc-12-base")
                                          .finish()});
  EXPECT_EQ(analysis.sum(FileClass::kDocs).files, 1U);
}

TEST(Analysis, AnImageOfNothing) {
  const auto analysis = analyze_tars({});
  EXPECT_EQ(analysis.all().files, 0U);
  EXPECT_TRUE(advise(analysis, {}).points.empty());
}

}  // namespace
}  // namespace paceline::analyze
