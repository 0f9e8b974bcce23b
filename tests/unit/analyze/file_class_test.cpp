#include "plugin/analyze/file_class.h"

#include <gtest/gtest.h>

namespace paceline::analyze {
namespace {

TEST(FileClass, ByPath) {
  const struct {
    const char* path;
    FileClass expected;
  } cases[] = {
      {"var/lib/apt/lists/deb.debian.org_debian_dists_bookworm_main_binary-amd64_Packages.lz4", FileClass::kAptLists},
      {"var/cache/apt/archives/gcc_12.deb", FileClass::kCache},
      {"root/.cache/pip/http/a/b", FileClass::kCache},
      {"var/lib/dpkg/status-old", FileClass::kCache},
      {"usr/share/doc/bash/README", FileClass::kDocs},
      {"usr/share/doc/bash/copyright", FileClass::kNeeded},
      {"usr/share/man/man1/bash.1.gz", FileClass::kDocs},
      {"usr/share/locale/de/LC_MESSAGES/bash.mo", FileClass::kLocale},
      {"usr/share/locale/en_GB/LC_MESSAGES/bash.mo", FileClass::kNeeded},
      {"usr/share/locale/locale.alias", FileClass::kNeeded},
      {"usr/local/include/python3.9/Python.h", FileClass::kHeader},
      {"usr/local/lib/python3.9/config/libpython3.9.a", FileClass::kStaticLibrary},
      // What an application has fetched for itself looks like a cache, and is its data.
      {"root/.cache/huggingface/model.bin", FileClass::kNeeded},
      {"root/.cache/torch/model.pt", FileClass::kNeeded},
      {"root/nltk_data/corpora/brown.zip", FileClass::kNeeded},
      {"app/include/thing.h", FileClass::kNeeded},
      {"usr/lib/python3/numpy/core/include/numpy/ndarraytypes.h", FileClass::kNeeded},
      {"tmp/model.a", FileClass::kNeeded},
      {"usr/bin/python3", FileClass::kNeeded},
      {"var/log/app.log", FileClass::kNeeded},
      {"var/lib/dpkg/status", FileClass::kNeeded},
  };
  for (const auto& one : cases) EXPECT_EQ(classify(one.path, {}), one.expected) << one.path;
}

TEST(FileClass, APackageThatStaysKeepsItsHeadersAndLibraries) {
  Package stays;
  EXPECT_EQ(classify("usr/include/x.h", {.owner = &stays}), FileClass::kNeeded);
  EXPECT_EQ(classify("usr/lib/libx.a", {.owner = &stays}), FileClass::kNeeded);
  EXPECT_EQ(classify("usr/share/man/man1/x.1.gz", {.owner = &stays}), FileClass::kDocs);
  Package goes;
  goes.build_only = true;
  EXPECT_EQ(classify("usr/include/x.h", {.owner = &goes}), FileClass::kBuildPackage);
  EXPECT_EQ(classify("usr/bin/gcc", {.owner = &goes}), FileClass::kBuildPackage);
}

TEST(FileClass, WhatCompilesAtRunTimeReadsHeadersAndLibraries) {
  const FileFacts compiling = {.compiling = true};
  EXPECT_EQ(classify("usr/local/include/python3.11/Python.h", compiling), FileClass::kNeeded);
  EXPECT_EQ(classify("usr/local/lib/libpython3.11.a", compiling), FileClass::kNeeded);
  EXPECT_EQ(classify("usr/share/man/man1/x.1.gz", compiling), FileClass::kDocs);
  EXPECT_EQ(classify("root/.cache/pip/http/a/b", compiling), FileClass::kCache);
}

TEST(FileClass, ALinkInPlaceOfADocFolderLeadsToALicence) {
  const FileFacts link = {.symlink = true};
  EXPECT_EQ(classify("usr/share/doc/libgcc-s1", link), FileClass::kNeeded);
  EXPECT_EQ(classify("usr/share/doc/libgcc-s1/copyright", link), FileClass::kNeeded);
  EXPECT_EQ(classify("usr/share/doc/libgcc-s1/README", link), FileClass::kDocs);
  EXPECT_EQ(classify("usr/share/doc/notes", {}), FileClass::kDocs);
}

TEST(FileClass, BytecodeKnowsItsSource) {
  EXPECT_EQ(bytecode_source("a/__pycache__/b.cpython-311.pyc"), "a/b.py");
  EXPECT_EQ(bytecode_source("a/__pycache__/b.cpython-311.opt-1.pyc"), "a/b.py");
  EXPECT_EQ(bytecode_source("__pycache__/b.cpython-311.pyc"), "b.py");
  EXPECT_EQ(bytecode_source("a/b.pyc"), "");
  EXPECT_EQ(bytecode_source("a/x__pycache__/b.pyc"), "");
  EXPECT_EQ(bytecode_source("a/__pycache__/b.so"), "");
}

}  // namespace
}  // namespace paceline::analyze
