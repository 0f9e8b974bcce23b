#include "plugin/pull/snapshot.h"

namespace paceline::pull {

std::string_view state_name(PullState state) {
  switch (state) {
    case PullState::kQueued:
      return "queued";
    case PullState::kResolving:
      return "resolving";
    case PullState::kFetching:
      return "fetching";
    case PullState::kUnpacking:
      return "unpacking";
    case PullState::kDone:
      return "done";
    case PullState::kFailed:
      return "failed";
    case PullState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

std::string_view source_name(Source source) {
  switch (source) {
    case Source::kMirror:
      return "mirror";
    case Source::kPrefetch:
      return "prefetch";
    case Source::kResumed:
      return "resumed";
  }
  return "unknown";
}

std::string_view retry_name(Retry reason) {
  switch (reason) {
    case Retry::kConnection:
      return "connection";
    case Retry::kTimeout:
      return "timeout";
    case Retry::kServerError:
      return "server_error";
    case Retry::kShortBody:
      return "short_body";
  }
  return "unknown";
}

}  // namespace paceline::pull
