// A store, a flight table and a snapshotter on folders of their own, and blobs that arrive as the test says.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "plugin/pull/flight_table.h"
#include "plugin/snapshots/snapshotter.h"
#include "plugin/store/store.h"
#include "tests/support/tar_writer.h"
#include "tests/support/temp_dir.h"

namespace paceline::layers {

/// A download as the engine makes one.
class Arrival {
 public:
  Arrival(store::Store& store, pull::FlightTable& flights, std::string bytes)
      : flights_(flights), bytes_(std::move(bytes)), digest_(sha256(bytes_)) {
    EXPECT_TRUE(flights_.take_off(digest_, bytes_.size()));
    file_ = store.begin_fetch(digest_, bytes_.size(), store::Purpose::kForeground).value();
  }

  void bring(std::size_t count) {
    const auto piece = std::as_bytes(std::span(bytes_)).subspan(brought_, std::min(count, bytes_.size() - brought_));
    EXPECT_TRUE(file_->write(piece, brought_));
    brought_ += piece.size();
    flights_.advance(digest_, file_->prefix());
  }
  void land() {
    bring(bytes_.size());
    const auto finished = file_->finish();
    EXPECT_TRUE(finished) << finished.error().message;
    file_.reset();
    flights_.land(digest_, {});
  }
  void fail_with(Error error) {
    file_.reset();
    flights_.land(digest_, fail(std::move(error)));
  }
  [[nodiscard]] const Digest& digest() const { return digest_; }

 private:
  pull::FlightTable& flights_;
  const std::string bytes_;
  const Digest digest_;
  std::unique_ptr<store::FetchFile> file_;
  std::size_t brought_ = 0;
};

class LayersTest : public ::testing::Test {
 protected:
  LayersTest() {
    store_ = store::Store::open({.content = dir_.path() / "content", .free_floor = 0}, clock_).value();
    snapshotter_ = snapshots::Snapshotter::open(root(), clock_).value();
  }

  [[nodiscard]] std::filesystem::path root() const { return dir_.path() / "snapshotter"; }

  Digest keep(const std::string& bytes) {
    const auto digest = sha256(bytes);
    EXPECT_TRUE(store_->put_hidden(digest, bytes, store::Purpose::kForeground));
    return digest;
  }

  static std::string content(const std::filesystem::path& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  test::TempDir dir_;
  SystemClock clock_;
  std::unique_ptr<store::Store> store_;
  pull::FlightTable flights_;
  std::unique_ptr<snapshots::Snapshotter> snapshotter_;
};

}  // namespace paceline::layers
