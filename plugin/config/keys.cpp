#include "plugin/config/keys.h"

#include <sys/un.h>

#include <algorithm>
#include <limits>

#include "plugin/base/text.h"
#include "plugin/config/value.h"

namespace paceline::config {
namespace {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

/// `field` is a generic lambda from an Owner (const or not) to the setting inside it.
template <class Owner, class Type, class Field>
Key<Owner> key(std::string name, Takes takes, Type type, Field field, std::string_view doc) {
  return {std::move(name),
          doc,
          takes,
          type.range(),
          [type, field](Owner& owner, const toml::node& node) -> Status {
            auto value = type.read(node);
            if (!value) return fail(value.error());
            field(owner) = std::move(*value);
            return {};
          },
          [type, field](const Owner& owner) { return type.write(field(owner)); }};
}

Status check_socket(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.find('\0') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, in_quotes(path) + " must be the absolute path of a unix socket");
  }
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (path.size() > kLongest) {
    return fail(Code::kInvalidArgument, "is longer than a socket path may be (" + std::to_string(kLongest) + " bytes)");
  }
  return {};
}

Status check_socket_if_any(std::string_view path) { return path.empty() ? Status() : check_socket(path); }

Status check_level(std::string_view level) {
  const std::vector<std::string> levels = {"trace", "debug", "info", "warn", "error", "off"};
  for (const auto& known : levels) {
    if (level == known) return {};
  }
  const std::string near = nearest_word(level, levels);
  return fail(Code::kInvalidArgument, in_quotes(level) + " must be one of trace, debug, info, warn, error, off" +
                                          (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?"));
}

Status check_loopback(std::string_view address) {
  const auto parsed = parse_loopback(address);
  return parsed ? Status() : Status(fail(parsed.error()));
}

}  // namespace

const std::vector<Key<Concurrency>>& concurrency_keys() {
  static const std::vector<Key<Concurrency>> kKeys = {
      key<Concurrency>(
          "mode", Takes::kEffectAtOnce,
          Choice<ConcurrencyMode>{{{{"adaptive", ConcurrencyMode::kAdaptive}, {"fixed", ConcurrencyMode::kFixed}}}},
          [](auto& own) -> auto& { return own.mode; },
          "`adaptive` measures the path and chooses the number of streams; `fixed` always uses `streams`."),
      key<Concurrency>(
          "streams", Takes::kEffectAtOnce, Count{1, 128}, [](auto& own) -> auto& { return own.streams; },
          "Streams of a pull when `mode` is `fixed`."),
      key<Concurrency>(
          "max_streams", Takes::kEffectAtOnce, Count{1, 128}, [](auto& own) -> auto& { return own.max_streams; },
          "Most connections open to one host at a time: the streams of all pulls together, and what asks for "
          "manifests."),
      key<Concurrency>(
          "prefetch_bytes_per_second", Takes::kEffectAtOnce, Bytes{0, kNoLimit},
          [](auto& own) -> auto& { return own.prefetch_bytes_per_second; },
          "Bandwidth cap over the prefetches from one registry (the host as in an image reference); 0: none."),
  };
  return kKeys;
}

const std::vector<Key<Config>>& keys() {
  static const std::vector<Key<Config>> kKeys = [] {
    std::vector<Key<Config>> all = {
        key<Config>(
            "root", Takes::kRestart, Path{}, [](auto& own) -> auto& { return own.root; },
            "Folder for everything the daemon keeps."),
        key<Config>(
            "address", Takes::kRestart, Text{check_socket}, [](auto& own) -> auto& { return own.address; },
            "Unix socket of all gRPC services: containerd's proxy plugin and the command line."),

        key<Config>(
            "log.level", Takes::kEffectAtOnce, Text{check_level}, [](auto& own) -> auto& { return own.log.level; },
            "How much is logged: trace, debug, info, warn, error or off."),
        key<Config>(
            "log.format", Takes::kRestart,
            Choice<LogFormat>{{{{"text", LogFormat::kText}, {"json", LogFormat::kJson}}}},
            [](auto& own) -> auto& { return own.log.format; }, "`text`, or `json` with one object a line."),

        key<Config>(
            "store.content", Takes::kRestart, Path{.may_be_empty = true},
            [](auto& own) -> auto& { return own.store.content; },
            "Content folder, in containerd's own layout; empty: `<root>/content`. It may be containerd's "
            "`io.containerd.content.v1.content`, whose images are then served as they are."),
        key<Config>(
            "store.quota", Takes::kRestart, Bytes{0, kNoLimit}, [](auto& own) -> auto& { return own.store.quota; },
            "Upper bound for all blobs and downloads; 0: none. Kept by dropping prefetched blobs that no image "
            "uses yet, least recently used first; containerd's own blobs are never touched."),
        key<Config>(
            "store.free_floor", Takes::kRestart, Bytes{0, kNoLimit},
            [](auto& own) -> auto& { return own.store.free_floor; },
            "Bytes to leave free on the file system: below it new content is refused."),

        key<Config>(
            "snapshotter.enabled", Takes::kRestart, Flag{}, [](auto& own) -> auto& { return own.snapshotter.enabled; },
            "Whether to serve an overlayfs snapshotter too, as a `snapshot` proxy plugin of containerd's."),
        key<Config>(
            "snapshotter.root", Takes::kRestart, Path{.may_be_empty = true},
            [](auto& own) -> auto& { return own.snapshotter.root; },
            "Folder of the snapshots; empty: `<root>/snapshotter`. Its file system must be fit for overlayfs."),
        key<Config>(
            "snapshotter.unpack_ahead", Takes::kRestart, Flag{},
            [](auto& own) -> auto& { return own.snapshotter.unpack_ahead; },
            "Whether the layers of an image that containerd pulls are unpacked while they arrive, so that the "
            "snapshotter has them when containerd asks."),
        key<Config>(
            "snapshotter.discard_unpacked_blobs", Takes::kRestart, Flag{},
            [](auto& own) -> auto& { return own.snapshotter.discard_unpacked_blobs; },
            "Whether to drop a layer's compressed blob once containerd has taken the unpacked files without it."),

        key<Config>(
            "mirror.enabled", Takes::kRestart, Flag{}, [](auto& own) -> auto& { return own.mirror.enabled; },
            "Whether to serve the loopback registry mirror, through which pulls are seen."),
        key<Config>(
            "mirror.address", Takes::kRestart, Text{check_loopback},
            [](auto& own) -> auto& { return own.mirror.address; },
            "Loopback address and port of the mirror, as named in containerd's `_default/hosts.toml`. Port 0 "
            "picks a free one, which is logged."),
        key<Config>(
            "mirror.allowed_uids", Takes::kRestart, Counts{0, std::numeric_limits<std::int32_t>::max()},
            [](auto& own) -> auto& { return own.mirror.allowed_uids; },
            "Users, by number, who may ask the mirror beside root and the daemon's own: its requests may carry the "
            "node's client certificates and headers. Whoever runs `ctr` or nerdctl asks it, not containerd."),

        key<Config>(
            "metrics.enabled", Takes::kRestart, Flag{}, [](auto& own) -> auto& { return own.metrics.enabled; },
            "Whether to serve metrics for Prometheus, `/healthz` and `/readyz`, and the status page."),
        key<Config>(
            "metrics.address", Takes::kRestart, Text{check_loopback},
            [](auto& own) -> auto& { return own.metrics.address; },
            "Loopback address and port of the metrics, which any user of the machine may read. Port 0 picks a free "
            "one, which is logged; one in use is a warning, and the daemon starts without metrics."),
        key<Config>(
            "metrics.status_uids", Takes::kRestart, Counts{0, std::numeric_limits<std::int32_t>::max()},
            [](auto& own) -> auto& { return own.metrics.status_uids; },
            "Users, by number, who may see the status page at `/` beside root and the daemon's own: it names images "
            "and "
            "registries."),

        key<Config>(
            "registry.certs_dirs", Takes::kRestart, PathList{},
            [](auto& own) -> auto& { return own.registry.certs_dirs; },
            "Folders of `<host>/hosts.toml` files, searched in order; read as containerd reads them."),
        key<Config>(
            "registry.docker_configs", Takes::kRestart, PathList{},
            [](auto& own) -> auto& { return own.registry.docker_configs; },
            "Docker `config.json` files with the daemon's own credentials. Used for prefetches only."),
    };
    for (const auto& inner : concurrency_keys()) {
      all.push_back({"concurrency." + inner.name, inner.doc, inner.takes, inner.range,
                     [&inner](Config& own, const toml::node& node) { return inner.read(own.concurrency, node); },
                     [&inner](const Config& own) { return inner.write(own.concurrency); }});
    }
    const std::vector<Key<Config>> rest = {
        key<Config>(
            "fetch.max_pulls", Takes::kEffectAtOnce, Count{1, 10'000},
            [](auto& own) -> auto& { return own.fetch.max_pulls; }, "Pulls at work at once; more wait in a queue."),
        key<Config>(
            "fetch.retries", Takes::kEffectAtOnce, Count{0, 100}, [](auto& own) -> auto& { return own.fetch.retries; },
            "Failures in a row of one byte range before its blob is left to containerd."),
        key<Config>(
            "fetch.connect_timeout", Takes::kEffectAtOnce, Time{100ms, 5min},
            [](auto& own) -> auto& { return own.fetch.connect_timeout; }, "Longest wait for a connection."),
        key<Config>(
            "fetch.stall_bytes_per_second", Takes::kEffectAtOnce, Bytes{0, 1ULL << 30U},
            [](auto& own) -> auto& { return own.fetch.stall_bytes_per_second; },
            "A stream slower than this for `stall_window` is started again; 0: never."),
        key<Config>(
            "fetch.stall_window", Takes::kEffectAtOnce, Time{1s, 10min},
            [](auto& own) -> auto& { return own.fetch.stall_window; },
            "How long a stream may be slower than `stall_bytes_per_second`."),
        key<Config>(
            "fetch.unverified_bytes", Takes::kEffectAtOnce, Bytes{16ULL << 20U, 64ULL << 30U},
            [](auto& own) -> auto& { return own.fetch.unverified_bytes; },
            "Bytes written but not yet hashed, all blobs together, at which fetching waits."),

        key<Config>(
            "prefetch.bytes_per_second", Takes::kEffectAtOnce, Bytes{0, kNoLimit},
            [](auto& own) -> auto& { return own.prefetch.bytes_per_second; },
            "Bandwidth cap over all prefetches; 0: none. A pull that containerd waits for is never capped."),
        key<Config>(
            "prefetch.unpack", Takes::kEffectAtOnce, Flag{}, [](auto& own) -> auto& { return own.prefetch.unpack; },
            "Whether a prefetch goes on to unpacked layers, unless it says otherwise; takes the snapshotter."),

        key<Config>(
            "records.enabled", Takes::kRestart, Flag{}, [](auto& own) -> auto& { return own.records.enabled; },
            "Whether to keep a cold-start record of each pull: what `paceline report` and `paceline explain` read."),
        key<Config>(
            "records.folder", Takes::kRestart, Path{.may_be_empty = true},
            [](auto& own) -> auto& { return own.records.folder; },
            "Folder of the records: a database, and a file of JSON lines; empty: `<root>/records`."),
        key<Config>(
            "records.max_records", Takes::kRestart, Count{1, 1'000'000},
            [](auto& own) -> auto& { return own.records.max_records; },
            "Records kept in the database; the oldest go first."),
        key<Config>(
            "records.max_age", Takes::kRestart, Time{1min, 24h * 3650},
            [](auto& own) -> auto& { return own.records.max_age; }, "How long a record is kept in the database."),
        key<Config>(
            "records.max_file_bytes", Takes::kRestart, Bytes{64U << 10U, 64ULL << 30U},
            [](auto& own) -> auto& { return own.records.max_file_bytes; },
            "Most that the JSON lines take, the rotated file included."),

        key<Config>(
            "experiment.arms", Takes::kEffectAtOnce, ArmList{}, [](auto& own) -> auto& { return own.experiment.arms; },
            "Policies to compare, e.g. `[\"adaptive\", \"fixed:3\", \"fixed:5*2\"]`: each new pull is given one in "
            "turn, each registry its own turn, by weight. Empty: none, and `[concurrency]` rules."),

        key<Config>(
            "containerd.address", Takes::kRestart, Text{check_socket_if_any},
            [](auto& own) -> auto& { return own.containerd.address; },
            "containerd's own socket. The daemon listens to its events there, to know when the first container of an "
            "image was made and started; empty: it does not, and records end with the pull."),
    };
    all.insert(all.end(), rest.begin(), rest.end());
    return all;
  }();
  return kKeys;
}

Status set_text(Config& config, std::string_view key, const std::string& value) {
  const auto known = std::ranges::find(keys(), key, &Key<Config>::name);
  if (known == keys().end()) return fail(Code::kInternal, "there is no key " + std::string(key));
  return known->read(config, toml::value<std::string>(value));
}

}  // namespace paceline::config
