// One Write stream's protocol, without gRPC: what each request does and what its answer says.
//
// A stream is *virtual* while the daemon itself fetches the blob: STAT #1 answers offset 0, STAT #2 is held until the
// flight lands and then answers "all there", COMMIT adopts the fetched blob. When the flight fails, STAT #2 answers
// what was fetched, K bytes, as an ordinary ingest. containerd still believes that it stands at offset 0 then: its
// offsets are shifted by K, which its first WRITE tells. Everything else is *plain*: an ingest of the store.
//
// Thread rule: one thread at a time. Must be closed before it is destroyed.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "plugin/content/active_writes.h"
#include "plugin/content/messages.h"
#include "plugin/content/second_tries.h"
#include "plugin/pull/flight_table.h"
#include "plugin/store/store.h"

namespace paceline::content {

/// What the service's calls share; outlives them.
struct Backend {
  store::Store& store;
  pull::FlightTable& flights;
  ActiveWrites& active;
  InfoTrail& trail;
  SecondTries& second_tries;
  const Clock& clock;
};

class WriteSession {
 public:
  enum class Outcome {
    kAnswer,        ///< Send the response, read on.
    kAnswerAndEnd,  ///< Send the response; the stream is over.
    kHold,          ///< Call handle() again with the same request when the flight of digest() has landed.
    kRetry,         ///< The reference is taken, perhaps only for a moment: call handle() again a little later.
  };

  explicit WriteSession(const Backend& backend) : backend_(backend) {}
  /// Called, from any thread, when somebody aborts the reference. Set before the first request.
  void on_abort(std::function<void()> call) { on_abort_ = std::move(call); }

  /// Handles a request when that takes memory only; nothing otherwise, and then handle() goes on from there.
  std::optional<Result<Outcome>> handle_in_memory(const api::WriteContentRequest& request,
                                                  api::WriteContentResponse& response);
  /// May do disk I/O. `last_try`: answer kUnavailable rather than kRetry.
  Result<Outcome> handle(const api::WriteContentRequest& request, api::WriteContentResponse& response, bool last_try);

  /// Whether the request takes no more than a rename or a small file.
  [[nodiscard]] bool is_quick(const api::WriteContentRequest& request) const;

  /// The flight that was waited for ended without the blob.
  void flight_failed() { flight_failed_ = true; }
  [[nodiscard]] const Digest& digest() const { return *digest_; }

  /// Gives the reference back. Bytes written stay for a later resume, unless `discard`.
  void close(bool discard);

 private:
  enum class State { kNew, kLocked, kVirtual, kPlain, kClosed };

  Result<Outcome> open_in_memory(const api::WriteContentRequest& request, api::WriteContentResponse& response,
                                 bool& answered);
  Status learn(const api::WriteContentRequest& request);
  [[nodiscard]] bool is_sent_back(const std::string& ref) const;
  Status refuse_existing(const api::WriteContentRequest& request);
  Status open_ingest();
  bool become_virtual();
  Result<Outcome> stat(api::WriteContentResponse& response);
  Result<Outcome> stat_virtual(api::WriteContentResponse& response);
  Status resume_what_was_fetched();
  Status append(const api::WriteContentRequest& request, api::WriteContentResponse& response);
  Status store_data(const api::WriteContentRequest& request);
  Result<Outcome> commit(const api::WriteContentRequest& request, api::WriteContentResponse& response);
  Result<Outcome> commit_virtual(const api::WriteContentRequest& request, api::WriteContentResponse& response);

  Backend backend_;
  std::function<void()> on_abort_;
  State state_ = State::kNew;
  std::string ref_;
  std::uint64_t total_ = 0;         // As the client says; 0: not yet.
  std::optional<Digest> expected_;  // Likewise.
  std::optional<Digest> digest_;    // What the blob will be, as far as it can be learnt.
  VirtualIngest virtual_;
  std::unique_ptr<store::BlobClaim> claim_;  // Since "all there" was answered: containerd is about to commit it.
  bool answered_stat_ = false;               // STAT #1 is out: the next one may be held.
  bool flight_failed_ = false;
  std::unique_ptr<store::Ingest> ingest_;
  /// Set when a flight failed on this stream: the offset that the client takes for 0, once its first WRITE has told.
  bool handed_over_ = false;
  std::optional<std::uint64_t> shift_;
};

}  // namespace paceline::content
