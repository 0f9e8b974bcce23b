#include "plugin/pull/range_stream.h"

#include <algorithm>

namespace paceline::pull {

net::Flow RangeStream::on_head(const net::ResponseHead& head) {
  stream_->answer = check_response(head, stream_->asked, owner_.wall());
  // A small error body is let through, so that the connection can be used again.
  return stream_->answer.verdict == Verdict::kRangeRefused || stream_->answer.verdict == Verdict::kWrongSize
             ? net::Flow::kAbort
             : net::Flow::kContinue;
}

net::Flow RangeStream::on_body(std::span<const std::byte> data) {
  if (stream_->answer.verdict != Verdict::kData) {
    static constexpr std::uint64_t kMaxErrorBody = 64U << 10U;
    stream_->bytes += data.size();
    return stream_->bytes > kMaxErrorBody ? net::Flow::kAbort : net::Flow::kContinue;
  }
  const std::uint64_t skipped = std::min<std::uint64_t>(stream_->skip, data.size());
  stream_->skip -= skipped;
  data = data.subspan(skipped);
  if (data.empty()) return net::Flow::kContinue;
  adaptive::RangePlanner* planner = stream_->planner();
  const std::uint64_t wanted =
      planner == nullptr
          ? 0
          : std::min<std::uint64_t>(data.size(), planner->progress(stream_->range, data.size(), owner_.now()));
  net::Flow flow = net::Flow::kContinue;
  if (wanted > 0) {
    const auto before = owner_.now();
    stream_->write_status = stream_->blob->file->write(data.first(wanted), stream_->position);
    stream_->blob->counters->write_ns += static_cast<std::uint64_t>((owner_.now() - before).count());
    if (!stream_->write_status) return net::Flow::kAbort;
    stream_->position += wanted;
    stream_->bytes += wanted;
    flow = owner_.stream_advanced(*stream_, wanted);
  }
  if (wanted == data.size()) return flow;
  stream_->surplus = true;
  return net::Flow::kAbort;
}

void RangeStream::on_done(const net::TransferEnd& end) { owner_.stream_ended(stream_->id, end); }

}  // namespace paceline::pull
