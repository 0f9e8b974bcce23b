// The daemon's configuration: one immutable value, made from TOML (docs/configuration.md). All keys are optional.
// Thread rule: a value; after loading it is only read. Sizes in bytes, rates in bytes a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/log.h"
#include "plugin/base/result.h"

namespace paceline::config {

enum class ConcurrencyMode { kAdaptive, kFixed };

/// [concurrency], and [concurrency.registry."HOST"] on top of it (HOST as in an image reference, or a blob host).
struct Concurrency {
  ConcurrencyMode mode = ConcurrencyMode::kAdaptive;
  unsigned streams = 6;                         ///< kFixed: this many; the papers' 5–7.
  unsigned max_streams = 32;                    ///< Ceiling per blob host, connections included. 1 … 128.
  std::uint64_t prefetch_bytes_per_second = 0;  ///< Cap over the prefetches from one registry; 0: none.

  bool operator==(const Concurrency&) const = default;
};

/// How the number of streams is chosen: what experiments compare.
struct Policy {
  ConcurrencyMode mode = ConcurrencyMode::kAdaptive;
  unsigned streams = 0;  ///< kFixed: this many.

  /// "adaptive" or "fixed:N".
  [[nodiscard]] std::string name() const;
  bool operator==(const Policy&) const = default;
};

/// One of [experiment] arms: "adaptive", "fixed:5"; "fixed:5*2" is given twice as often as one without a weight.
struct ExperimentArm {
  Policy policy;
  unsigned weight = 1;

  [[nodiscard]] std::string to_string() const;
  static Result<ExperimentArm> parse(std::string_view text);
  bool operator==(const ExperimentArm&) const = default;
};

struct Config {
  std::filesystem::path root = "/var/lib/paceline";
  std::string address = "/run/paceline/paceline.sock";  ///< Unix socket of all gRPC services.

  struct Log {
    std::string level = "info";
    LogFormat format = LogFormat::kText;
    bool operator==(const Log&) const = default;
  } log;

  struct StoreSection {
    std::filesystem::path content;  ///< Empty: <root>/content. May be containerd's own content root.
    std::uint64_t quota = 0;        ///< 0: none.
    std::uint64_t free_floor = 512U << 20U;
    bool operator==(const StoreSection&) const = default;
  } store;

  struct SnapshotterSection {
    bool enabled = false;
    std::filesystem::path root;           ///< Empty: <root>/snapshotter.
    bool unpack_ahead = true;             ///< Unpack the layers of what containerd pulls while they arrive.
    bool discard_unpacked_blobs = false;  ///< Drop a layer's blob once containerd has taken its files.
    bool operator==(const SnapshotterSection&) const = default;
  } snapshotter;

  struct Mirror {
    bool enabled = true;
    std::string address = "127.0.0.1:5151";  ///< Loopback host:port; port 0 picks a free one (logged).
    std::vector<unsigned> allowed_uids;      ///< Who may ask it beside root and the daemon's own user.
    bool operator==(const Mirror&) const = default;
  } mirror;

  struct Metrics {
    bool enabled = true;
    std::string address = "127.0.0.1:9436";  ///< As mirror.address.
    std::vector<unsigned> status_uids;       ///< Who may see the status page beside root and the daemon's own user.
    bool operator==(const Metrics&) const = default;
  } metrics;

  struct Registry {
    std::vector<std::filesystem::path> certs_dirs = {"/etc/containerd/certs.d", "/etc/docker/certs.d"};
    std::vector<std::filesystem::path> docker_configs = {"/etc/paceline/docker/config.json",
                                                         "/root/.docker/config.json"};
    bool operator==(const Registry&) const = default;
  } registry;

  Concurrency concurrency;
  std::map<std::string, Concurrency> concurrency_by_registry;  ///< Complete values: defaults already merged in.

  struct Fetch {
    unsigned max_pulls = 100;  ///< Pulls at work at once; more wait in a queue.
    unsigned retries = 5;      ///< Failures in a row of one range before its blob fails.
    std::chrono::milliseconds connect_timeout{10'000};
    std::uint64_t stall_bytes_per_second = 1024;     ///< A stream slower than this …
    std::chrono::milliseconds stall_window{15'000};  ///< … for this long is started again.
    std::uint64_t unverified_bytes = 256U << 20U;  ///< Written but not yet hashed, all blobs together: fetching waits.
    bool operator==(const Fetch&) const = default;
  } fetch;

  struct Prefetch {
    std::uint64_t bytes_per_second = 0;  ///< Cap over all prefetches; 0: none.
    bool unpack = false;                 ///< Prefetches go on to unpacked layers unless they say otherwise.
    bool operator==(const Prefetch&) const = default;
  } prefetch;

  struct Records {
    bool enabled = true;
    std::filesystem::path folder;   ///< Empty: <root>/records.
    unsigned max_records = 10'000;  ///< In the database.
    std::chrono::milliseconds max_age = std::chrono::hours(24 * 90);
    std::uint64_t max_file_bytes = 64U << 20U;  ///< Of the JSON lines, the rotated file included.
    bool operator==(const Records&) const = default;
  } records;

  struct Experiment {
    std::vector<ExperimentArm> arms;  ///< Empty: no experiment.
    bool operator==(const Experiment&) const = default;
  } experiment;

  struct Containerd {
    std::string address = "/run/containerd/containerd.sock";  ///< Its own socket, for events; empty: not asked.
    bool operator==(const Containerd&) const = default;
  } containerd;

  bool operator==(const Config&) const = default;
};

/// What holds for a blob host ("host:port") that serves images of `registry`: what is said of the host, else of the
/// registry, else of all. Either may be written with or without its port, and Docker Hub by any of its names.
const Concurrency& concurrency_for(const Config& config, const std::string& host, const std::string& registry);

/// Parses TOML text. All errors of the text are collected, a line each: they name file, line, key, the cause and, for
/// an unknown key, the nearest known one.
Result<Config> parse(std::string_view toml, const std::string& file_name);
/// Reads a file; a missing file is an error (kNotFound).
Result<Config> load(const std::filesystem::path& file);
/// The commented default file: `pacelined config default`.
std::string default_toml();

/// The table of all keys in docs/configuration.md: `pacelined config reference`.
std::string reference_markdown();

/// "fetch.retries: 5 → 7" for every difference, for the log of a reload. The flag says whether it takes effect at once
/// or needs a restart.
struct Change {
  std::string key, before, after;
  bool live = false;
};
std::vector<Change> differences(const Config& before, const Config& after);

/// host:port of this machine alone: "127.0.0.1:5151", "[::1]:0", "localhost:5151". Anything that others could reach is
/// refused: mirror and metrics speak plain HTTP, and the mirror carries its callers' credentials.
struct LoopbackAddress {
  std::string host;  ///< "127.0.0.1" or "::1": numeric, without brackets.
  std::uint16_t port = 0;
  [[nodiscard]] std::string to_string() const;
};
Result<LoopbackAddress> parse_loopback(std::string_view text);

}  // namespace paceline::config
