// References whose Write is sent back once, because their blob is here already.
//
// Under containerd's `shared` policy a Write for such a blob means that the Info before it did not get through: the
// daemon had just come back, and containerd takes every error for "not there". It would fetch the blob again. Told that
// the reference is taken for the moment, it asks Info again, within milliseconds. Under `isolated`, where each
// namespace has to bring the bytes itself, it opens the Write again, and then it may. Any thread; memory only.
#pragma once

#include <mutex>
#include <string>
#include <unordered_map>

#include "plugin/base/clock.h"

namespace paceline::content {

class SecondTries {
 public:
  /// Whether this is the first try of late: it is to be sent back.
  bool is_first(const std::string& ref, TimePoint now);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, TimePoint> sent_back_;
};

}  // namespace paceline::content
