// The bytes of a blob while it is being fetched, or once it is in the store: read() waits for the download to get so
// far. Only what lies below the download's prefix is read; that may still prove wrong when the whole is hashed, so what
// is made of it counts only after wait_landed().
//
// Thread rule: one thread at a time; the flight table calls in from others. Borrows store and flights.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>

#include "plugin/pull/flight_table.h"
#include "plugin/store/store.h"
#include "plugin/unpack/layer_source.h"

namespace paceline::layers {

class GrowingSource final : public unpack::LayerSource {
 public:
  /// kNotFound when the blob is neither here nor on its way. `stop` ends every wait, with kCancelled.
  static Result<std::unique_ptr<GrowingSource>> open(store::Store& store, pull::FlightTable& flights,
                                                     const Digest& digest, std::stop_token stop);
  ~GrowingSource() override;
  GrowingSource(const GrowingSource&) = delete;
  GrowingSource& operator=(const GrowingSource&) = delete;

  Result<std::size_t> read(std::uint64_t offset, std::span<std::byte> buffer) override;
  [[nodiscard]] bool is_ready(std::uint64_t offset) const override;
  /// ok: the blob is whole and its digest is right. Otherwise why the download failed.
  Status wait_landed();

 private:
  /// Shared with the callbacks, which may still be running when the source goes.
  struct Progress {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::uint64_t prefix = 0;
    bool began_anew = false;  ///< The download was thrown away: what was read belongs to no blob.
    std::optional<Status> landed;
    [[nodiscard]] bool beyond(std::uint64_t offset) const {
      return prefix > offset || began_anew || landed.has_value();
    }
  };

  GrowingSource(store::Store& store, pull::FlightTable& flights, const Digest& digest, std::stop_token stop);
  bool follow();
  /// How many bytes may be read; waits until that is more than `offset`, or all.
  Result<std::uint64_t> wait_beyond(std::uint64_t offset);

  store::Store& store_;
  pull::FlightTable& flights_;
  const Digest digest_;
  const std::stop_token stop_;
  const std::shared_ptr<Progress> progress_ = std::make_shared<Progress>();
  std::optional<pull::WaitId> wait_;
  std::shared_ptr<const store::OpenBlob> blob_;
};

}  // namespace paceline::layers
