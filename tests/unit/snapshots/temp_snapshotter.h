// A snapshotter on a folder of its own, and what tests do with it again and again.
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "plugin/snapshots/snapshotter.h"
#include "tests/support/temp_dir.h"

namespace paceline::snapshots {

class TempSnapshotter : public ::testing::Test {
 protected:
  TempSnapshotter() { reopen(); }

  void reopen() {
    snapshotter_.reset();
    auto opened = Snapshotter::open(root(), clock_);
    if (!opened) throw std::runtime_error(opened.error().to_string());
    snapshotter_ = std::move(*opened);
  }

  [[nodiscard]] std::filesystem::path root() const { return dir_.path() / "root"; }
  [[nodiscard]] std::filesystem::path folder(int id) const { return root() / "snapshots" / std::to_string(id); }
  [[nodiscard]] std::string files(int id) const { return (folder(id) / "fs").string(); }

  /// How many folders there are, of snapshots or still to be deleted.
  [[nodiscard]] std::size_t folders() const {
    std::size_t count = 0;
    for (const auto* where : {"snapshots", "new", "removed"}) {
      for ([[maybe_unused]] const auto& item : std::filesystem::directory_iterator(root() / where)) ++count;
    }
    return count;
  }

  std::vector<Mount> prepare(const std::string& key, const std::string& parent = "", const Labels& labels = {}) {
    auto mounts = snapshotter_->create({Kind::kActive, key, parent, labels});
    EXPECT_TRUE(mounts.has_value()) << (mounts ? "" : mounts.error().to_string());
    return mounts ? *mounts : std::vector<Mount>();
  }

  void commit(const std::string& name, const std::string& key, const Labels& labels = {}) {
    const auto committed = snapshotter_->commit(name, key, labels);
    EXPECT_TRUE(committed.has_value()) << (committed ? "" : committed.error().to_string());
  }

  /// A committed snapshot.
  void layer(const std::string& name, const std::string& parent = "") {
    prepare(name + "-key", parent);
    commit(name, name + "-key");
  }

  /// A folder as a provider hands it over, with one file.
  [[nodiscard]] UnpackedLayer unpacked(const std::string& name) const {
    const auto path = dir_.path() / "unpacked" / name;
    std::filesystem::create_directories(path);
    std::ofstream(path / "file") << name;
    return {path, std::nullopt};
  }

  template <class T>
  static Code code(const Result<T>& result) {
    return result ? Code{} : result.error().code;
  }

  std::vector<std::string> names(const std::vector<std::string>& filters = {}) {
    std::vector<std::string> names;
    const auto infos = snapshotter_->list(Filter::parse(filters).value()).value();
    names.reserve(infos.size());
    for (const auto& info : infos) names.push_back(info.name);
    return names;
  }

  test::TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<Snapshotter> snapshotter_;
};

}  // namespace paceline::snapshots
