// TransferEngine: what cold-start records are made of. Tells each pull's trace what its paths do.
#include "plugin/pull/engine.h"

namespace paceline::pull {

PullTrace* TransferEngine::trace_of(PullKey pull) const {
  const auto terms = terms_.find(pull);
  return terms == terms_.end() ? nullptr : terms->second.trace.get();
}

void TransferEngine::trace_path(Path& path, const net::TcpSample& sample) {
  if (terms_.empty()) return;
  const auto state = path.controller();
  PullTrace::Look look;
  look.at = clock_.now();
  look.streams = path.budget().limit();
  look.reason = adaptive::reason_name(path.reason());
  look.rtt = path.rtt();
  look.queue = std::max(Duration{0}, Duration(state.rtt_now - state.rtt_min));
  look.first_byte = path.first_byte();
  look.bytes_per_second = state.goodput;
  look.segments = sample.segments_in;
  look.out_of_order = sample.out_of_order;
  for (const PullKey pull : path.pulls()) {
    PullTrace* trace = trace_of(pull);
    if (trace == nullptr) continue;
    const auto* planner = path.planner(pull);
    look.streams_pace = planner != nullptr ? planner->pace(now()) : adaptive::Pace{};
    trace->look(path.host(), look);
  }
}

void TransferEngine::trace_throttled(Path& path, bool burst) {
  // Refused together, they ask for one and the same silence.
  const auto silence = burst ? Duration{0} : path.silence().left(now());
  for (const PullKey pull : path.pulls()) {
    if (PullTrace* trace = trace_of(pull)) trace->throttled(path.host(), silence);
  }
}

/// The path's policy is another than the newcomer's, and one controller serves both: neither pull's time says anything
/// about its policy.
void TransferEngine::mark_mixed(Path& path, PullKey newcomer) {
  auto pulls = path.pulls();
  pulls.push_back(newcomer);
  for (const PullKey pull : pulls) {
    if (PullTrace* trace = trace_of(pull)) trace->set_mixed();
  }
}

}  // namespace paceline::pull
