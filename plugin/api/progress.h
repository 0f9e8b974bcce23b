// Follows pulls for the clients that watch them: one thread looks for all of them together.
//
// Thread rule: Progress is for any thread. A client that reads slowly is skipped until it has read what it was sent, so
// nothing piles up. Borrows the pulls and the clock. Destroying it, or stop(), ends every stream.
#pragma once

#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "paceline/v1/paceline.pb.h"
#include "plugin/api/convert.h"
#include "plugin/api/event_stream.h"
#include "plugin/api/pull_control.h"
#include "plugin/base/clock.h"

namespace paceline::api {

using PullStream = EventStream<v1::PullEvent>;

/// One client's watch: which pulls, and what it was told last.
class Watch {
 public:
  struct Options {
    std::vector<std::string> ids;  ///< Empty: all that are under way, now and later.
    Blobs blobs = Blobs::kOmit;
  };
  Watch(Options options, PullControl& pulls);

  /// What one look may bring; the rest comes with the next looks, in turn.
  static constexpr std::size_t kMaxEvents = 64;

  /// The events that are due. One thread at a time.
  std::vector<v1::PullEvent> look(TimePoint now);
  /// Every pull that was named is over and reported.
  [[nodiscard]] bool complete() const { return !all_ && told_.empty(); }

 private:
  struct Told {
    std::size_t fingerprint = 0;
    TimePoint when{};
    std::string image;
  };
  void report(const pull::PullSnapshot& pull, TimePoint now, std::vector<v1::PullEvent>& events);
  void report_lost(const std::string& id, std::vector<v1::PullEvent>& events);

  PullControl& pulls_;
  Blobs blobs_;
  bool all_;
  std::vector<std::string> order_;
  std::size_t next_ = 0;                        // Where in it the next look begins.
  std::unordered_map<std::string, Told> told_;  // Pulls that are not over.
};

class Progress {
 public:
  /// More clients than this at once are refused.
  static constexpr std::size_t kMaxStreams = 64;
  static constexpr std::chrono::milliseconds kLook{10};

  Progress(PullControl& pulls, const Clock& clock);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Feeds `stream`, which is open, until its pulls are over; closes it with an error when there are too many.
  void follow(const std::shared_ptr<PullStream>& stream, Watch::Options options);
  void stop();

 private:
  struct Follower {
    std::shared_ptr<PullStream> stream;
    Watch watch;
  };
  void run();

  PullControl& pulls_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::list<Follower> arrivals_;
  std::size_t followers_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace paceline::api
