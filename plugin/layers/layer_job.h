// One layer on its way from a blob to a folder that the snapshotter may take. Its state is the unpacker's, under its
// mutex; what the state says is being worked on belongs to the worker, and what is done changes no more.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>

#include "plugin/base/clock.h"
#include "plugin/base/fd.h"
#include "plugin/layers/image_plan.h"
#include "plugin/snapshots/snapshot.h"
#include "plugin/unpack/unfinished.h"

namespace paceline::layers {

struct LayerJob {
  enum class State {
    kUnpacking,  ///< Or waiting for a worker, or for bytes.
    kUnpacked,   ///< Blob and diffID are right; what `unfinished` says is taken from the layers below once they are.
    kFinishing,
    kReady,   ///< On offer.
    kTaken,   ///< The snapshotter's: given to it, or found there.
    kFailed,  ///< containerd unpacks it itself.
  };

  LayerJob(PlannedLayer planned, std::shared_ptr<LayerJob> lower)
      : layer(std::move(planned)), below(std::move(lower)) {}

  [[nodiscard]] bool resolved() const { return state >= State::kReady; }
  [[nodiscard]] bool has_files() const { return state == State::kReady || state == State::kTaken; }

  const PlannedLayer layer;
  const std::shared_ptr<LayerJob> below;  ///< Null for the bottom layer.

  State state = State::kUnpacking;
  TimePoint resolved_at;
  bool found = false;  ///< A snapshot had it already.
  std::filesystem::path path;
  UniqueFd folder;  ///< Follows the folder when the snapshotter renames it.
  unpack::Unfinished unfinished;
  std::optional<snapshots::Usage> usage;
};

}  // namespace paceline::layers
