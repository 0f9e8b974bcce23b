// The unpack engine: one layer's blob into one folder in overlayfs form, while the blob's bytes still arrive.
//
//   auto layer = unpack_layer(source, media_type, diff_id, folder, options);   // needs no other layer
//   …                                                                          // the layers below are finished
//   finish_layer(folder, layer->unfinished, lowers);                           // lower_layers.h
//
// Any thread, several layers at once. The folder is the caller's: open, empty, and his to remove when a call fails.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "plugin/base/clock.h"
#include "plugin/base/digest.h"
#include "plugin/base/result.h"
#include "plugin/unpack/layer_source.h"
#include "plugin/unpack/limits.h"
#include "plugin/unpack/unfinished.h"
#include "plugin/unpack/worker_slots.h"

namespace paceline::unpack {

struct Options {
  Limits limits;
  bool bottom = false;       ///< The image's first layer: nothing lies below, whiteouts remove what it brought itself.
  bool device_nodes = true;  ///< false: devices are left out (user namespaces cannot make them).
  std::size_t buffer_bytes = 4U << 20U;  ///< What a layer holds uncompressed, at most, when a helper inflates ahead.
  /// Bounds who works over all layers; a layer takes a helper thread while cores are free. Null: no bound, no helper.
  WorkerSlots* slots = nullptr;
  const std::atomic<WorkerSlots::Rank>* rank = nullptr;  ///< In the slots; null: 0, before all others.
};

struct UnpackedLayer {
  Digest diff_id;
  std::uint64_t bytes = 0;  ///< Of the uncompressed tar.
  std::uint64_t entries = 0;
  Duration inflate_cpu{0};  ///< CPU time of inflating and hashing, over both threads …
  Duration write_cpu{0};    ///< … and of everything else.
  Unfinished unfinished;
};

/// Unpacks into the open folder `directory`. The diffID is the SHA-256 of the whole uncompressed stream, what follows
/// the archive's end included, and is compared with `expected` where that is known.
/// kInvalidArgument: a broken or hostile archive; the message names the entry. kResourceExhausted: a limit, or the
/// disk is full. kFailedPrecondition: another diffID. Else the source's error, or the operating system's.
Result<UnpackedLayer> unpack_layer(LayerSource& source, std::string_view media_type,
                                   const std::optional<Digest>& expected, int directory, const Options& options);

}  // namespace paceline::unpack
