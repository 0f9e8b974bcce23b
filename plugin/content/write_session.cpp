#include "plugin/content/write_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "plugin/base/log.h"
#include "plugin/content/ref.h"

namespace paceline::content {
namespace {

constexpr std::size_t kMaxRefBytes =
    8U << 10U;  // It is kept in memory and in a file; containerd's are below 300 bytes.

const std::string& empty_digest() {
  static const std::string digest = sha256("").to_string();
  return digest;
}

Result<WriteSession::Outcome> failed(Error error) { return fail(std::move(error)); }

}  // namespace

std::optional<Result<WriteSession::Outcome>> WriteSession::handle_in_memory(const api::WriteContentRequest& request,
                                                                            api::WriteContentResponse& response) {
  if (request.action() != api::STAT) return std::nullopt;
  if (state_ == State::kNew) {
    bool answered = false;
    auto outcome = open_in_memory(request, response, answered);
    if (!outcome || *outcome == Outcome::kRetry || answered) return outcome;
    return std::nullopt;
  }
  // A flight still under way needs no disk; a landed one neither. A failed one does.
  if (state_ == State::kVirtual && !flight_failed_ && request.expected().empty() &&
      (backend_.flights.find(*digest_) || backend_.store.find(*digest_))) {
    return stat_virtual(response);
  }
  return std::nullopt;
}

bool WriteSession::is_quick(const api::WriteContentRequest& request) const {
  if (state_ == State::kVirtual) return request.action() == api::COMMIT;
  return (state_ == State::kNew || state_ == State::kLocked) && request.action() == api::STAT;
}

Result<WriteSession::Outcome> WriteSession::handle(const api::WriteContentRequest& request,
                                                   api::WriteContentResponse& response, bool last_try) {
  if (state_ == State::kNew) {
    bool answered = false;
    auto outcome = open_in_memory(request, response, answered);
    if (!outcome || answered) return outcome;
    if (*outcome == Outcome::kRetry) {
      if (!last_try) return outcome;
      return failed({Code::kUnavailable, "ref " + request.ref() + " is locked: it is being written"});
    }
  }
  if (state_ == State::kClosed) return failed({Code::kFailedPrecondition, "the write is over"});
  if (auto learnt = learn(request); !learnt) return failed(std::move(learnt.error()));
  if (auto fresh = refuse_existing(request); !fresh) return failed(std::move(fresh.error()));
  if (state_ == State::kLocked) {
    if (auto opened = open_ingest(); !opened) return failed(std::move(opened.error()));
  }

  response.set_action(request.action());
  switch (request.action()) {
    case api::STAT:
      return stat(response);
    case api::WRITE:
      if (auto appended = append(request, response); !appended) return failed(std::move(appended.error()));
      return Outcome::kAnswer;
    case api::COMMIT:
      return commit(request, response);
    default:
      return failed({Code::kInvalidArgument, fmt::format("unknown write action {}", int{request.action()})});
  }
}

/// The first request: takes the reference, and answers STAT where no ingest is needed.
Result<WriteSession::Outcome> WriteSession::open_in_memory(const api::WriteContentRequest& request,
                                                           api::WriteContentResponse& response, bool& answered) {
  if (request.ref().empty()) return failed({Code::kInvalidArgument, "the first message of a write must name a ref"});
  if (request.ref().size() > kMaxRefBytes) return failed({Code::kInvalidArgument, "the ref is longer than 8 KiB"});
  if (auto learnt = learn(request); !learnt) return failed(std::move(learnt.error()));
  digest_ = expected_ ? expected_ : digest_in_ref(request.ref());
  if (request.action() == api::STAT && !expected_ && is_sent_back(request.ref())) {
    return failed({Code::kUnavailable, "ref " + request.ref() + " is locked: its blob is here, look for it again"});
  }
  switch (backend_.active.acquire(request.ref(), on_abort_)) {
    case ActiveWrites::Lock::kTaken:
      break;
    case ActiveWrites::Lock::kWriting:
      return Outcome::kRetry;
    case ActiveWrites::Lock::kVirtual:
      return failed({Code::kUnavailable, "ref " + request.ref() + " is locked: its blob is being fetched"});
  }
  ref_ = request.ref();
  state_ = State::kLocked;

  const auto trail = backend_.trail.take();
  if (!digest_ && trail && total_ > 0) {
    const auto flight = backend_.flights.find(*trail);
    if (flight && flight->size == total_) digest_ = trail;
  }
  // An `expected` that is there already is refused, which may adopt it: not from memory alone.
  const bool exists = expected_ && backend_.store.find(*expected_);
  if (request.action() != api::STAT || exists || !become_virtual()) return Outcome::kAnswer;

  response.set_action(api::STAT);
  response.set_offset(0);
  response.set_total(static_cast<std::int64_t>(virtual_.total));
  response.set_digest(empty_digest());
  set_time(*response.mutable_started_at(), virtual_.started);
  set_time(*response.mutable_updated_at(), virtual_.started);
  answered_stat_ = true;
  answered = true;
  return Outcome::kAnswer;
}

bool WriteSession::is_sent_back(const std::string& ref) const {
  if (!digest_ || backend_.flights.find(*digest_)) return false;
  const auto blob = backend_.store.find(*digest_);
  const bool here = blob && blob->visibility == store::Visibility::kListed && (total_ == 0 || total_ == blob->size);
  return here && backend_.second_tries.is_first(ref, backend_.clock.now());
}

/// In flight, or fetched and waiting to be adopted: nothing needs to be written. A *listed* blob is no reason: where
/// containerd insists (see SecondTries), each namespace must bring the bytes itself.
bool WriteSession::become_virtual() {
  if (!digest_) return false;
  backend_.flights.demand(*digest_);  // May make it take off again.
  // The order matters: a landing blob is first in the store, then out of the table.
  std::optional<std::uint64_t> size;
  if (const auto flight = backend_.flights.find(*digest_)) {
    size = flight->size;
  } else if (const auto blob = backend_.store.find(*digest_); blob && blob->visibility == store::Visibility::kHidden) {
    size = blob->size;
  }
  if (!size || (total_ > 0 && total_ != *size)) return false;
  virtual_ = {ref_, *digest_, *size, backend_.clock.wall()};
  backend_.active.make_virtual(virtual_);
  state_ = State::kVirtual;
  return true;
}

Status WriteSession::learn(const api::WriteContentRequest& request) {
  if (request.total() < 0 || request.offset() < 0)
    return fail(Code::kInvalidArgument, "total and offset must not be negative");
  if (request.total() > 0) total_ = static_cast<std::uint64_t>(request.total());
  if (!request.expected().empty()) {
    auto expected = Digest::parse(request.expected());
    if (!expected) return fail(expected.error().context("expected"));
    expected_ = *expected;
  }
  return {};
}

/// As containerd's own service: naming a digest that is there ends the write. (A virtual COMMIT looks for itself.)
Status WriteSession::refuse_existing(const api::WriteContentRequest& request) {
  if (request.expected().empty() || !expected_ || state_ == State::kVirtual || !backend_.store.find(*expected_))
    return {};
  if (auto adopted = backend_.store.adopt(*expected_); !adopted) {
    if (adopted.error().code == Code::kNotFound) return {};  // Gone between the two calls.
    return fail(std::move(adopted.error()));
  }
  close(/*discard=*/true);
  return fail(Code::kAlreadyExists, "content " + expected_->to_string() + " exists");
}

Status WriteSession::open_ingest() {
  if (digest_ && !flight_failed_ && !backend_.flights.find(*digest_) && !backend_.store.find(*digest_)) {
    // What an earlier download of ours got is not fetched again.
    if (auto handed = backend_.store.hand_over(*digest_, ref_, total_); !handed) {
      spdlog::warn("{}: cannot resume the earlier download: {}", ref_, handed.error().to_string());
    }
  }
  auto ingest = backend_.store.open_ingest(ref_, total_, expected_);
  if (!ingest) return fail(std::move(ingest.error()));
  ingest_ = std::move(*ingest);
  if (total_ == 0) total_ = ingest_->status().total;
  state_ = State::kPlain;
  return {};
}

Result<WriteSession::Outcome> WriteSession::stat(api::WriteContentResponse& response) {
  if (state_ == State::kVirtual) return stat_virtual(response);
  const auto& status = ingest_->status();
  response.set_offset(static_cast<std::int64_t>(status.offset));
  response.set_total(static_cast<std::int64_t>(total_));
  set_time(*response.mutable_started_at(), status.started);
  set_time(*response.mutable_updated_at(), status.updated);
  // The digest of a long prefix takes time; the first STAT runs inside containerd's metadata transaction.
  if (status.offset == 0) {
    response.set_digest(empty_digest());
  } else if (answered_stat_) {
    response.set_digest(ingest_->digest().to_string());
  }
  answered_stat_ = true;
  return Outcome::kAnswer;
}

Result<WriteSession::Outcome> WriteSession::stat_virtual(api::WriteContentResponse& response) {
  if (!flight_failed_ && backend_.flights.find(*digest_)) return Outcome::kHold;
  if (!claim_) claim_ = backend_.store.claim(*digest_);
  if (claim_) {
    const auto size = static_cast<std::int64_t>(claim_->info().size);
    response.set_action(api::STAT);
    response.set_offset(size);
    response.set_total(size);
    response.set_digest(digest_->to_string());
    set_time(*response.mutable_started_at(), virtual_.started);
    set_time(*response.mutable_updated_at(), backend_.clock.wall());
    return Outcome::kAnswer;
  }
  if (auto resumed = resume_what_was_fetched(); !resumed) return failed(std::move(resumed.error()));
  return stat(response);
}

/// The flight failed: its prefix becomes the ingest, and containerd goes on by itself.
Status WriteSession::resume_what_was_fetched() {
  if (total_ == 0) total_ = virtual_.total;
  if (auto handed = backend_.store.hand_over(*digest_, ref_, total_); !handed) {
    spdlog::warn("{}: cannot hand the download over, containerd starts again: {}", ref_, handed.error().to_string());
  }
  flight_failed_ = true;
  if (auto opened = open_ingest(); !opened) return opened;
  backend_.active.make_plain(ref_);
  handed_over_ = ingest_->status().offset > 0;
  spdlog::info("{}: handed over to containerd at {} of {} bytes", ref_, ingest_->status().offset, total_);
  return {};
}

Status WriteSession::append(const api::WriteContentRequest& request, api::WriteContentResponse& response) {
  const auto offset = static_cast<std::uint64_t>(request.offset());
  if (state_ == State::kVirtual) {
    // The client does not wait for the flight, or starts over: then it writes as into any other ingest.
    if (offset > 0) {
      return fail(Code::kOutOfRange,
                  fmt::format("write at {}: nothing is missing from {}", offset, digest_->to_string()));
    }
    if (auto opened = open_ingest(); !opened) return opened;
    backend_.active.make_plain(ref_);
    claim_.reset();
  }

  auto here = ingest_->status().offset;
  if (handed_over_ && !shift_) shift_ = offset == 0 ? here : 0;
  const auto shift = shift_.value_or(0);
  if (offset == 0 && here != shift) {
    if (auto cut = ingest_->truncate(0); !cut) return cut;
    shift_ = 0;
    here = 0;
  } else if (offset + shift != here) {
    return fail(Code::kOutOfRange, fmt::format("write at {} must be at the present offset {}", offset, here - shift));
  }
  if (auto stored = store_data(request); !stored) return stored;
  const auto& status = ingest_->status();
  response.set_offset(static_cast<std::int64_t>(status.offset - shift_.value_or(0)));
  response.set_total(static_cast<std::int64_t>(total_));
  response.set_digest(ingest_->digest().to_string());
  set_time(*response.mutable_started_at(), status.started);
  set_time(*response.mutable_updated_at(), status.updated);
  return {};
}

Status WriteSession::store_data(const api::WriteContentRequest& request) {
  if (request.data().empty()) return {};
  // To containerd a total is an announcement, and what counts comes with COMMIT: its metadata layer appends to a blob
  // of another namespace under the old blob's total. The free-space floor bounds what a client can write.
  const auto& status = ingest_->status();
  if (status.total > 0 && request.data().size() > status.total - std::min(status.offset, status.total)) {
    ingest_->set_total(0);
  }
  return ingest_->append(std::as_bytes(std::span(request.data())));
}

Result<WriteSession::Outcome> WriteSession::commit(const api::WriteContentRequest& request,
                                                   api::WriteContentResponse& response) {
  if (state_ == State::kVirtual) return commit_virtual(request, response);
  auto labels = checked_labels(request.labels());
  if (!labels) return failed(std::move(labels.error()));

  // Offset 0 is what a client sends that does not know better: a COMMIT never cuts anything off.
  const auto here = ingest_->status().offset;
  const auto offset = static_cast<std::uint64_t>(request.offset());
  if (offset > 0 && offset + shift_.value_or(0) != here) {
    return failed(
        {Code::kOutOfRange, fmt::format("commit at {}, but the ingest is at {}", offset, here - shift_.value_or(0))});
  }
  if (auto stored = store_data(request); !stored) return failed(std::move(stored.error()));
  const auto status = ingest_->status();
  auto digest = ingest_->commit(total_ > 0 ? std::optional(total_) : std::nullopt, expected_, *labels);
  if (!digest) {
    // A prefix of ours that turns out wrong must not stand in the way of containerd's next attempt.
    if (handed_over_ && digest.error().code == Code::kFailedPrecondition) {
      if (auto cut = ingest_->truncate(0); !cut) spdlog::warn("{}: {}", ref_, cut.error().to_string());
    }
    close(/*discard=*/false);
    return failed(std::move(digest.error()));
  }
  response.set_offset(static_cast<std::int64_t>(status.offset));
  response.set_total(static_cast<std::int64_t>(status.offset));
  response.set_digest(digest->to_string());
  set_time(*response.mutable_started_at(), status.started);
  set_time(*response.mutable_updated_at(), backend_.clock.wall());
  close(/*discard=*/false);
  return Outcome::kAnswerAndEnd;
}

Result<WriteSession::Outcome> WriteSession::commit_virtual(const api::WriteContentRequest& request,
                                                           api::WriteContentResponse& response) {
  auto labels = checked_labels(request.labels());
  if (!labels) return failed(std::move(labels.error()));
  const auto blob = backend_.store.find(*digest_);
  if (!blob) {
    return failed(
        {Code::kFailedPrecondition, "content " + digest_->to_string() + " is not there yet: nothing to commit"});
  }
  if (expected_ && *expected_ != *digest_) {
    return failed({Code::kFailedPrecondition,
                   "unexpected commit digest " + digest_->to_string() + ", expected " + expected_->to_string()});
  }
  if (total_ > 0 && total_ != blob->size) {
    return failed(
        {Code::kFailedPrecondition, fmt::format("unexpected commit size {}, expected {}", blob->size, total_)});
  }
  if (!request.data().empty()) return failed({Code::kOutOfRange, "nothing is missing from " + digest_->to_string()});

  const bool existed = blob->visibility == store::Visibility::kListed;
  if (auto adopted = backend_.store.adopt(*digest_); !adopted) return failed(std::move(adopted.error()));
  if (!labels->empty() && !existed) {
    if (auto set = backend_.store.set_labels(*digest_, *labels); !set) return failed(std::move(set.error()));
  }
  close(/*discard=*/true);  // Also what an earlier, plain write of this reference left behind.
  if (existed) return failed({Code::kAlreadyExists, "content " + digest_->to_string() + " exists"});
  response.set_action(api::COMMIT);
  response.set_offset(static_cast<std::int64_t>(blob->size));
  response.set_total(static_cast<std::int64_t>(blob->size));
  response.set_digest(digest_->to_string());
  set_time(*response.mutable_started_at(), virtual_.started);
  set_time(*response.mutable_updated_at(), backend_.clock.wall());
  return Outcome::kAnswerAndEnd;
}

void WriteSession::close(bool discard) {
  claim_.reset();
  if (state_ != State::kNew && state_ != State::kClosed) {
    ingest_.reset();
    if (discard) {
      if (auto aborted = backend_.store.abort_ingest(ref_); !aborted && aborted.error().code != Code::kNotFound) {
        spdlog::warn("{}: {}", ref_, aborted.error().to_string());
      }
    }
    backend_.active.release(ref_);
  }
  state_ = State::kClosed;
}

}  // namespace paceline::content
