// Who hears how long a Read took. Read alone is not timed by an interceptor: one takes OnDone through another thread,
// which costs a short read a tenth of its time.
#pragma once

#include <chrono>
#include <functional>

namespace paceline::content {

/// From the call's begin to its end. Any thread; must not wait.
using ReadTimed = std::function<void(std::chrono::nanoseconds)>;

inline constexpr const char* kReadMethod = "/containerd.services.content.v1.Content/Read";

}  // namespace paceline::content
