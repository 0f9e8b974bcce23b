// How long a whole pull takes, from the sizes of its layers: requests × RTT, bytes over goodput, verifying, inflating
// and unpacking, with what of it overlaps. The path's part is path_model.h's; what a node's disk and cores take are
// coefficients, fitted by pull_calibration.h.
//
// The pipeline it describes: all layers come over the same streams as ranges in manifest order; a layer is unpacked as
// far as its bytes have come without a gap; as many layers are worked on at a time as there are cores, bottom layers
// first, and a spare core inflates ahead of one that writes.
// Pure functions of values; any thread. Times are seconds, since they are fitted and not compared with a clock.
#pragma once

#include <cstdint>
#include <vector>

#include "adaptive/path_model.h"

namespace paceline::adaptive {

struct PullLayer {
  std::uint64_t compressed_bytes = 0;
  std::uint64_t uncompressed_bytes = 0;  ///< Of the tar.
  std::uint64_t files = 0;               ///< Entries of the tar: each is a name to be made.
  bool operator==(const PullLayer&) const = default;
};

/// What the node's parts take. The defaults are rough, of the order that two cores of a cloud machine show, and stand
/// in until the node has records of its own.
struct NodeCosts {
  double start = 0.02;           ///< Seconds of each pull that are neither path nor bytes.
  double setup = 1.0;            ///< Time to the first byte, in parts of setup_time().
  double ramp = 2.0;             ///< Round trips that the streams take to fill the path, beyond slow start.
  double fill = 0.96;            ///< Part of the path's goodput that the streams reach.
  double verify_byte = 2.0e-9;   ///< CPU seconds a compressed byte: received, written and hashed.
  double inflate_byte = 2.5e-9;  ///< CPU seconds an uncompressed byte: inflated, and hashed for the diffID.
  double unpack_layer = 2.0e-3;  ///< CPU seconds a layer, beside its files.
  double unpack_byte = 0.6e-9;   ///< CPU seconds an uncompressed byte written.
  double unpack_file = 30e-6;    ///< CPU seconds a file made.
  double settle = 0.01;          ///< Seconds from the last byte until it is verified and in place.
  double settle_byte = 0;        ///< The same, a compressed byte: what a disk that is behind takes.
  double cores = 2;              ///< What the pull has of the machine's cores.
  bool operator==(const NodeCosts&) const = default;
};

struct PullOptions {
  unsigned max_streams = 32;   ///< concurrency.max_streams
  unsigned fixed_streams = 0;  ///< 0: the controller chooses.
  bool unpack = true;          ///< Until the layers are unpacked, else until they are stored.
};

/// What one layer costs on its own, and when it is there; on the pull's clock.
struct LayerPrediction {
  double fetch = 0;    ///< Its bytes over the path's goodput.
  double verify = 0;   ///< CPU seconds.
  double inflate = 0;  ///< CPU seconds.
  double unpack = 0;   ///< CPU seconds, without inflating.
  double arrived = 0;
  double unpacked = 0;  ///< 0 without unpacking.
};

/// The parts follow each other without a gap: they are the critical path, and add up.
struct PullPrediction {
  double setup = 0;   ///< Until the first byte of a blob.
  double fetch = 0;   ///< … the last byte.
  double verify = 0;  ///< … it is verified and in place.
  double unpack = 0;  ///< … the last layer is unpacked.
  std::vector<LayerPrediction> layers;

  [[nodiscard]] double total() const { return setup + fetch + verify + unpack; }
};

/// `layers`: those that have to come, bottom first.
[[nodiscard]] PullPrediction predict_pull(const std::vector<PullLayer>& layers, const Path& path,
                                          const NodeCosts& costs, const PullOptions& options = {});

/// Streams that a pull of that many bytes mostly runs with, by the controller's rules (docs/controller.md).
[[nodiscard]] unsigned expected_streams(const Path& path, std::uint64_t bytes, const PullOptions& options);

/// The path as the streams meet it: a rate of one stream that random loss leaves counts as its cap.
[[nodiscard]] Path effective_path(Path path);

}  // namespace paceline::adaptive
