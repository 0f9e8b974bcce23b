#include "plugin/api/progress.h"

#include <pthread.h>

#include <functional>

namespace paceline::api {
namespace {

// A pull at which nothing moves is still reported this often: the client sees that it is alive, and its speed fall to
// 0.
constexpr std::chrono::seconds kHeartbeat{1};

// A pull that moves is reported this often; that it is over is told at the next look: scripts wait for that.
constexpr std::chrono::milliseconds kInterval{100};

// What makes two states of a pull differ for a reader: all but the clock.
std::size_t fingerprint(v1::Pull pull) {
  pull.clear_elapsed_ms();
  return std::hash<std::string>()(pull.SerializeAsString());
}

}  // namespace

Watch::Watch(Options options, PullControl& pulls)
    : pulls_(pulls), blobs_(options.blobs), all_(options.ids.empty()), order_(std::move(options.ids)) {
  for (const auto& id : order_) told_.emplace(id, Told{});
}

std::vector<v1::PullEvent> Watch::look(TimePoint now) {
  std::vector<v1::PullEvent> events;
  if (all_) {
    for (const auto& pull : pulls_.pulls()) {
      const bool known = told_.contains(pull.id);
      if (is_over(pull.state) && !known) continue;
      if (!known) {
        told_.emplace(pull.id, Told{});
        order_.push_back(pull.id);
      }
    }
  }
  for (std::size_t i = 0; i < order_.size() && events.size() < kMaxEvents; ++i) {
    const std::string& id = order_[next_ % order_.size()];
    next_ = (next_ + 1) % order_.size();
    if (const auto pull = pulls_.find(id)) {
      report(*pull, now, events);
    } else {
      report_lost(id, events);
    }
  }
  std::erase_if(order_, [this](const std::string& id) { return !told_.contains(id); });
  return events;
}

void Watch::report(const pull::PullSnapshot& pull, TimePoint now, std::vector<v1::PullEvent>& events) {
  const auto entry = told_.find(pull.id);
  if (entry == told_.end()) return;
  Told& told = entry->second;
  told.image = pull.image;
  const bool over = is_over(pull.state);
  if (!over && told.fingerprint != 0 && now - told.when < kInterval) return;
  v1::PullEvent event;
  *event.mutable_pull() = to_proto(pull, blobs_);
  const std::size_t print = fingerprint(event.pull());
  if (!over && print == told.fingerprint && now - told.when < kHeartbeat) return;
  events.push_back(std::move(event));
  if (over) {
    told_.erase(entry);
  } else {
    told.fingerprint = print;
    told.when = now;
  }
}

// The manager forgets a finished pull after a while: a client that read so slowly still gets an end.
void Watch::report_lost(const std::string& id, std::vector<v1::PullEvent>& events) {
  const auto entry = told_.find(id);
  if (entry == told_.end()) return;
  v1::PullEvent event;
  event.mutable_pull()->set_pull_id(id);
  event.mutable_pull()->set_image(entry->second.image);
  event.mutable_pull()->set_state(v1::PULL_STATE_FAILED);
  *event.mutable_pull()->mutable_error() =
      to_proto(Error{Code::kNotFound, "pull " + id + ": the daemon no longer knows how it ended"});
  events.push_back(std::move(event));
  told_.erase(entry);
}

Progress::Progress(PullControl& pulls, const Clock& clock) : pulls_(pulls), clock_(clock), thread_([this] { run(); }) {
  pthread_setname_np(thread_.native_handle(), "progress");
}

Progress::~Progress() {
  stop();
  thread_.join();
}

void Progress::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

void Progress::follow(const std::shared_ptr<PullStream>& stream, Watch::Options options) {
  grpc::Status refused;
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      refused = {grpc::StatusCode::UNAVAILABLE, "the daemon is stopping"};
    } else if (followers_ >= kMaxStreams) {
      refused = {grpc::StatusCode::RESOURCE_EXHAUSTED,
                 std::to_string(kMaxStreams) + " clients watch pulls already; try again later, or poll ListPulls"};
    } else {
      ++followers_;
      arrivals_.push_back({stream, Watch(std::move(options), pulls_)});
    }
  }
  if (!refused.ok()) return stream->close(std::move(refused));
  wake_.notify_all();
}

void Progress::run() {
  std::list<Follower> followers;  // This thread's own.
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (followers.empty()) {
      wake_.wait(lock, [this] { return stopping_ || !arrivals_.empty(); });
    } else {
      wake_.wait_for(lock, kLook, [this] { return stopping_ || !arrivals_.empty(); });
    }
    followers.splice(followers.end(), arrivals_);
    lock.unlock();

    std::erase_if(followers, [this](Follower& follower) {
      if (follower.stream->over()) return true;
      if (!follower.stream->idle()) return false;
      for (auto& event : follower.watch.look(clock_.now())) follower.stream->push(std::move(event));
      if (!follower.watch.complete()) return false;
      follower.stream->close(grpc::Status::OK);
      return true;
    });

    lock.lock();
    followers_ = followers.size() + arrivals_.size();
  }
  followers.splice(followers.end(), arrivals_);
  lock.unlock();
  for (const auto& follower : followers) {
    follower.stream->close(
        {grpc::StatusCode::UNAVAILABLE, "the daemon is stopping; unfinished pulls go on when it starts again"});
  }
}

}  // namespace paceline::api
