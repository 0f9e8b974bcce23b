// One layer on its way from a blob to a folder that the snapshotter may take. Its state is the unpacker's, under its
// mutex; what the state says is being worked on belongs to the worker, and what is done changes no more.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>

#include "plugin/base/clock.h"
#include "plugin/base/fd.h"
#include "plugin/layers/image_plan.h"
#include "plugin/snapshots/snapshot.h"
#include "plugin/unpack/unfinished.h"
#include "plugin/unpack/worker_slots.h"

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

  LayerJob(PlannedLayer planned, std::shared_ptr<LayerJob> lower, unpack::WorkerSlots::Rank turn)
      : layer(std::move(planned)), below(std::move(lower)), rank(turn) {}

  [[nodiscard]] bool resolved() const { return state >= State::kReady; }
  [[nodiscard]] bool has_files() const {
    const State now = state;
    return now == State::kReady || now == State::kTaken;
  }

  const PlannedLayer layer;
  const std::shared_ptr<LayerJob> below;  ///< Null for the bottom layer.

  std::atomic<State> state = State::kUnpacking;  ///< Changed under the mutex only.
  std::atomic<unpack::WorkerSlots::Rank> rank;
  std::atomic<std::uint64_t> read_bytes{0};  ///< Of the blob.
  std::atomic<bool> begun{false};
  std::atomic<bool> keep{false};  ///< A prefetch wants it kept until somebody asks.
  TimePoint started_at;           ///< A worker took it.
  TimePoint resolved_at;
  bool found = false;             ///< A snapshot had it already.
  bool kept = false;              ///< It lies with the kept layers.
  bool applied = false;           ///< A differ took it, into a folder that others look after.
  bool rests_on_applied = false;  ///< It was finished from such a one: right for whoever has that below it still.
  Status outcome;                 ///< Why it failed, or was not kept.
  std::filesystem::path path;
  UniqueFd folder;  ///< Follows the folder when the snapshotter renames it.
  unpack::Unfinished unfinished;
  std::uint64_t bytes = 0;                ///< Of the uncompressed archive; 0: it was not unpacked here.
  std::uint64_t entries = 0;              ///< What was unpacked …
  Duration inflate_cpu{0}, write_cpu{0};  ///< … and what that took, for the records.
  std::optional<snapshots::Usage> usage;
};

}  // namespace paceline::layers
