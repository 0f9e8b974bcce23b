// TransferEngine: streams. Who may start one, what its end means, when to try again.
#include <algorithm>
#include <random>

#include "plugin/base/log.h"
#include "plugin/base/text.h"
#include "plugin/net/url.h"
#include "plugin/pull/engine.h"

namespace paceline::pull {
namespace {

using std::chrono::milliseconds;

// A host that throttles this often in a row, each time after having been left alone, does not want to serve us.
constexpr unsigned kMaxThrottles = 12;
constexpr Duration kFirstBackOff = milliseconds(100);
constexpr Duration kMaxBackOff = milliseconds(8000);

// Doubles with every failure; a random half of it, so that streams that failed together do not come back together.
Duration back_off_delay(unsigned failures) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  const Duration full = std::min<Duration>(kMaxBackOff, kFirstBackOff * (1ULL << std::min(failures - 1, 10U)));
  return full / 2 + Duration(std::uniform_int_distribution<Duration::rep>(0, (full / 2).count())(random));
}

Retry retry_for(const Error& error) {
  return error.code == Code::kDeadlineExceeded ? Retry::kTimeout : Retry::kConnection;
}

}  // namespace

std::uint64_t TransferEngine::unverified_bytes() const {
  std::uint64_t sum = 0;
  for (const auto& [digest, blob] : blobs_) {
    if (blob->file != nullptr) sum += blob->file->prefix() - std::min(blob->file->prefix(), blob->file->hashed());
  }
  return sum;
}

unsigned TransferEngine::delivering(const Path& path) const {
  return static_cast<unsigned>(std::count_if(streams_.begin(), streams_.end(), [&](const auto& entry) {
    return entry.second->path == &path && entry.second->answer.verdict == Verdict::kData;
  }));
}

void TransferEngine::schedule(Path& path) {
  if (path.silence().silent(now())) {
    if (!path.waking_later) {
      path.waking_later = true;
      after(path.silence().left(now()), [this, &path] {
        path.waking_later = false;
        path.want_all();
        schedule(path);
      });
    }
    return;
  }
  while (const auto pull = path.budget().next()) {
    // Rather than open another connection, wait for the one that is nearly there.
    if (path.warming > 0 && path.budget().running() + path.warming >= path.budget().limit()) return;
    // What hashing cannot follow would leave the page cache before it is read again; hashed() comes back here.
    if (unverified_bytes() > config_.fetch.unverified_bytes) return;
    adaptive::RangePlanner* planner = path.planner(*pull);
    if (planner == nullptr || must_wait(*pull)) {
      path.budget().wants(*pull, false);  // The next tick asks again.
      continue;
    }
    const auto hint = path.hint(*pull);
    auto range = planner->next(hint);
    if (!range) {
      if (const auto steal = planner->steal(now(), hint)) {
        range = steal->range;
        if (steal->abandon_victim) {
          for (const auto& [id, stream] : streams_) {
            if (stream->path != &path || stream->pull != *pull || stream->range != steal->victim) continue;
            cancel_stream(id);
            break;
          }
        }
      }
    }
    if (range) {
      start_stream(path, *pull, *range);
    } else {
      path.budget().wants(*pull, false);
    }
  }
}

void TransferEngine::start_stream(Path& path, PullKey pull, const adaptive::Range& range) {
  const Blob& blob = layers_.at(range.layer);
  auto stream = std::make_shared<Stream>();
  stream->id = next_stream_++;
  stream->blob = blob;
  stream->path = &path;
  stream->pull = pull;
  stream->serial = path.serial(pull);
  stream->range = range.id;
  stream->position = range.first;
  stream->started = clock_.now();

  net::HttpRequest request = blob->request;
  request.http1 = true;
  request.patient = true;
  request.connect_timeout = config_.fetch.connect_timeout;
  request.stall_bytes = config_.fetch.stall_bytes_per_second;
  request.stall_window = config_.fetch.stall_window;
  if (!path.ranges() || range.size() == blob->size) {
    stream->asked = {0, blob->size, blob->size, false};
    stream->skip = range.first;
  } else {
    stream->asked = {range.first, range.last, blob->size, true};
    request.headers.set("Range", "bytes=" + std::to_string(range.first) + "-" + std::to_string(range.last - 1));
  }
  pay_in_advance(*stream);
  path.budget().started(pull);
  path.request_started();
  ++blob->counters->streams;
  streams_[stream->id] = stream;
  stream->transfer = network_.start(request, std::make_unique<RangeStream>(*this, stream));
}

net::Flow TransferEngine::stream_advanced(Stream& stream, std::size_t bytes) {
  BlobFetch& blob = *stream.blob;
  blob.counters->received += bytes;
  blob.counters->fetched += bytes;
  const auto here = clock_.now().time_since_epoch().count();
  if (blob.counters->first_byte == 0) blob.counters->first_byte = here;
  blob.counters->last_byte = here;
  blob.failures = blob.relocations = blob.throttles = 0;
  stream.path->received(bytes, foreground_.contains(stream.pull));
  pump_hash(stream.blob);
  return pay(stream, bytes);
}

void TransferEngine::stream_ended(std::uint64_t stream_id, const net::TransferEnd& end) {
  const auto it = streams_.find(stream_id);
  if (it == streams_.end()) return;
  const std::shared_ptr<Stream> stream = it->second;
  streams_.erase(it);
  stream->path->request_ended();
  --stream->blob->counters->streams;
  if (stream->cancelled || !*alive_) {
    give_back(*stream);
    return;
  }
  settle(stream, end);
  schedule(*stream->path);
}

void TransferEngine::settle(const std::shared_ptr<Stream>& stream, const net::TransferEnd& end) {
  const Blob& blob = stream->blob;
  Path& path = *stream->path;
  const Answer& answer = stream->answer;
  const std::string where = net::redact(blob->request.url);

  if (answer.verdict == Verdict::kData) {
    path.first_byte_seen(end.first_byte);
    if (!stream->write_status) {
      give_back(*stream);
      abandon(blob, stream->write_status.error());
    } else if (stream->surplus || (end.status && stream->position == stream->asked.end)) {
      path.silence().succeeded();
      give_back(*stream);
    } else {
      back_off(stream, end.status ? Retry::kShortBody : retry_for(end.status.error()),
               end.status ? Error{Code::kUnavailable, "short body from " + where} : end.status.error());
    }
    return;
  }
  if (answer.verdict == Verdict::kPending || answer.verdict == Verdict::kServerError) {
    const bool unanswered = answer.verdict == Verdict::kPending && !end.status;
    back_off(stream, unanswered ? retry_for(end.status.error()) : Retry::kServerError,
             unanswered ? end.status.error() : Error{Code::kUnavailable, answer.detail + " from " + where});
    return;
  }

  give_back(*stream);
  const auto why = [&](Code code) { return Error{code, answer.detail + " from " + where}; };
  switch (answer.verdict) {
    case Verdict::kRedirect:
      redirect(blob, answer.detail);
      break;
    case Verdict::kUnauthorized:
      if (blob->redirected) {
        relocate(blob, Error{Code::kUnauthenticated, "HTTP 401 from " + where});
      } else {
        renew_rights(blob, answer.detail);
      }
      break;
    case Verdict::kForbidden:
      if (blob->redirected) {
        relocate(blob, why(Code::kPermissionDenied));  // A signed URL has expired: ask the registry for a new one.
      } else {
        next_place(blob, why(Code::kPermissionDenied));
      }
      break;
    case Verdict::kNotFound:
      next_place(blob, why(Code::kNotFound));
      break;
    case Verdict::kThrottled: {
      const bool burst = path.silence().silent(now());  // One refusal of many streams at once, not many in a row.
      path.throttled(now(), answer.retry_after);
      trace_throttled(path, burst);
      if (!burst && ++blob->throttles > kMaxThrottles) next_place(blob, why(Code::kResourceExhausted));
      break;
    }
    case Verdict::kRangeRefused:
      use_single_streams(path, why(Code::kFailedPrecondition));
      break;
    case Verdict::kWrongSize:
      next_place(blob, why(Code::kFailedPrecondition));
      break;
    default:
      next_place(blob, why(Code::kUnavailable));
      break;
  }
}

void TransferEngine::give_back(const Stream& stream) {
  adaptive::RangePlanner* planner = stream.planner();
  if (planner == nullptr) return;  // Closed with its budget while the stream ran.
  planner->failed(stream.range);
  stream.path->budget().wants(stream.pull, planner->remaining() > 0);
  stream.path->budget().finished(stream.pull, stream.bytes);
}

void TransferEngine::back_off(const std::shared_ptr<Stream>& stream, Retry reason, const Error& why) {
  const Blob& blob = stream->blob;
  ++blob->counters->retries;
  stream->path->retried(reason);
  // One fault of the path ends all its streams at once: that is one failure, not one a stream.
  if (blob->failures == 0) blob->failing_since = clock_.now();
  if (blob->failures == 0 || stream->started > blob->failed_at) {
    ++blob->failures;
    blob->failed_at = clock_.now();
  }
  // While another stream brings bytes the blob is not lost, and what it brings is worth having even if the rest is. One
  // that was asked before the failures began may still bring some: none starts after, so that this wait has an end.
  const bool hopeful = std::any_of(streams_.begin(), streams_.end(), [&](const auto& entry) {
    const Stream& other = *entry.second;
    if (other.blob != blob) return false;
    if (other.answer.verdict == Verdict::kPending) return other.started < blob->failing_since;
    return other.answer.verdict == Verdict::kData && (other.bytes > 0 || other.started < blob->failing_since);
  });
  if (blob->failures > config_.fetch.retries && !hopeful) {
    give_back(*stream);
    next_place(blob, why);
    return;
  }
  const Duration delay = back_off_delay(blob->failures);
  spdlog::debug("blob {} at {}: {}; again in {}", blob->digest.short_hex(), stream->position, why.message,
                format_duration(delay));
  // Until then the range keeps its stream: a failing host gets fewer requests, not more.
  after(delay, [this, stream] {
    give_back(*stream);
    schedule(*stream->path);
  });
}

void TransferEngine::cancel_stream(std::uint64_t stream_id) {
  const auto it = streams_.find(stream_id);
  if (it == streams_.end()) return;
  it->second->cancelled = true;
  network_.cancel(it->second->transfer);
}

void TransferEngine::cancel_streams(const Blob& blob) {
  std::vector<std::uint64_t> ids;
  for (const auto& [id, stream] : streams_) {
    if (stream->blob == blob) ids.push_back(id);
  }
  for (const std::uint64_t id : ids) cancel_stream(id);
}

void TransferEngine::use_single_streams(Path& path, const Error& why) {
  std::vector<Blob> here;
  for (const auto& [digest, blob] : blobs_) {
    if (blob->path == &path) here.push_back(blob);
  }
  if (!path.ranges()) {  // It was not asked for ranges and still answers wrongly.
    for (const Blob& blob : here) next_place(blob, why);
    return;
  }
  spdlog::warn("{} does not serve byte ranges ({}): one stream a blob from now on", path.host(), why.message);
  path.ranges_refused();
  for (const Blob& blob : here) {
    cancel_streams(blob);
    if (auto* planner = path.planner(blob->owner)) planner->set_single_stream(blob->layer);
  }
  path.want_all();
}

/// A manifest or a token waits for a connection: a stream gives up its own, of a prefetch if there is one. What it has
/// fetched is kept, and it goes on when the small request is through.
void TransferEngine::make_room(const std::string& host) {
  const Stream* victim = nullptr;
  const auto cheaper = [&](const Stream& stream) {
    if (victim == nullptr) return true;
    const bool wanted = foreground_.contains(stream.pull), victim_wanted = foreground_.contains(victim->pull);
    return wanted != victim_wanted ? victim_wanted : stream.bytes < victim->bytes;
  };
  for (const auto& [id, stream] : streams_) {
    // Without a byte it may be waiting for a connection itself.
    if (stream->path->host() == host && stream->bytes > 0 && cheaper(*stream)) victim = stream.get();
  }
  if (victim != nullptr) cancel_stream(victim->id);
}

void TransferEngine::yield_to_foreground(Path& path) {
  if (path.silence().silent(now())) return;  // Nobody could start in their place.
  for (const PullKey pull : path.budget().preempt()) {
    const Stream* youngest = nullptr;
    for (const auto& [id, stream] : streams_) {
      if (stream->path == &path && stream->pull == pull && (youngest == nullptr || stream->bytes < youngest->bytes)) {
        youngest = stream.get();
      }
    }
    if (youngest != nullptr) cancel_stream(youngest->id);
  }
}

}  // namespace paceline::pull
