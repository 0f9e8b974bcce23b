// What a snapshot is, in containerd's terms. Values; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plugin/base/clock.h"

namespace paceline::snapshots {

using Labels = std::map<std::string, std::string>;

/// The numbers are containerd's.
enum class Kind {
  kView = 1,       ///< Read-only, for looking at its parent.
  kActive = 2,     ///< Writable; becomes kCommitted or is removed.
  kCommitted = 3,  ///< Sealed: others may rest on it.
};

struct Info {
  std::string name;
  std::string parent;  ///< Empty: none.
  Kind kind = Kind::kActive;
  WallTime created;
  WallTime updated;
  Labels labels;
};

/// Of a snapshot alone, without what it rests on.
struct Usage {
  std::int64_t bytes = 0;
  std::int64_t inodes = 0;
  bool operator==(const Usage&) const = default;
};

/// One mount(2) that the client is to make.
struct Mount {
  std::string type;
  std::string source;
  std::vector<std::string> options;
  bool operator==(const Mount&) const = default;
};

/// The chain ID of the layer that a Prepare is for: containerd asks a snapshotter with it before fetching the layer.
inline constexpr const char* kLayerLabel = "containerd.io/snapshot.ref";

}  // namespace paceline::snapshots
