// A cold start as a pull of one layer leaves it.
#pragma once

#include <string>

#include "plugin/records/sink.h"

namespace paceline::records {

inline ColdStart sample_record(const std::string& pull_id = "p1", std::int64_t started_unix_ms = 1'000'000) {
  ColdStart record;
  record.pull_id = pull_id;
  record.image = "registry.example/team/app:1";
  record.manifest_digest = "sha256:" + std::string(64, 'a');
  record.platform = "linux/amd64";
  record.registry = "registry.example";
  record.policy = "adaptive";
  record.source = "foreground";
  record.state = "done";
  record.started_unix_ms = started_unix_ms;
  record.pull_ms = 1000;
  record.total_bytes = record.fetched_bytes = 10'000'000;
  record.cpus = 2;
  record.phases = {{"resolve", 0, 100}, {"connect", 100, 200}, {"fetch", 200, 950}, {"verify", 950, 1000}};
  Layer layer;
  layer.digest = "sha256:" + std::string(64, 'b');
  layer.size_bytes = record.total_bytes;
  layer.origin = "fetched";
  layer.first_byte_ms = 200;
  layer.last_byte_ms = 950;
  layer.verified_ms = 1000;
  record.layers = {layer};
  Host host;
  host.host = "registry.example:443";
  host.rtt_ms = 10;
  host.queue_ms = 40;
  host.best_bytes_per_second = 13e6;
  host.stream_bytes_per_second = 4e6;
  host.segments = 7000;
  record.hosts = {host};
  record.streams = {{110, host.host, 4, "initial_cold"}, {300, host.host, 8, "ramp_double"}};
  return record;
}

inline EndedPull sample_pull(const std::string& pull_id = "p1") {
  return {sample_record(pull_id), TimePoint(std::chrono::seconds(100))};
}

/// That many milliseconds after the sample's start, by the wall.
inline WallTime sample_wall(std::int64_t ms) { return WallTime(std::chrono::milliseconds(1'000'000 + ms)); }

}  // namespace paceline::records
