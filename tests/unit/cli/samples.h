// Pulls for the tests of what is shown.
#pragma once

#include <string>

#include "paceline/v1/paceline.pb.h"

namespace paceline::cli {

inline v1::Pull make_pull(const std::string& id, const std::string& image, v1::PullState state) {
  v1::Pull pull;
  pull.set_pull_id(id);
  pull.set_image(image);
  pull.set_state(state);
  pull.set_source(v1::PULL_SOURCE_PREFETCH);
  pull.set_platform("linux/amd64");
  pull.set_started_unix_ms(1'700'000'000'000);
  return pull;
}

/// 20 MB of 100 MB, of four blobs: one was here, one moves, two wait.
inline v1::Pull fetching_pull(const std::string& id, const std::string& image) {
  v1::Pull pull = make_pull(id, image, v1::PULL_STATE_FETCHING);
  pull.set_total_bytes(100'000'000);
  pull.set_received_bytes(20'000'000);
  pull.set_bytes_per_second(8e6);
  pull.set_streams(6);
  pull.set_blob_count(4);
  pull.set_blobs_done(1);
  const auto add = [&pull](char hex, std::uint64_t size, std::uint64_t received, unsigned streams) {
    auto* blob = pull.add_blobs();
    blob->set_digest("sha256:" + std::string(64, hex));
    blob->set_media_type("layer");
    blob->set_size_bytes(size);
    blob->set_received_bytes(received);
    blob->set_streams(streams);
    blob->set_done(size == received);
    blob->set_present(size == received);
  };
  add('a', 5'000'000, 5'000'000, 0);
  add('b', 45'000'000, 15'000'000, 6);
  add('c', 30'000'000, 0, 0);
  add('d', 20'000'000, 0, 0);
  return pull;
}

}  // namespace paceline::cli
