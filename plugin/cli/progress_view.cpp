#include "plugin/cli/progress_view.h"

#include <algorithm>
#include <cmath>

#include "plugin/base/text.h"
#include "plugin/cli/format.h"
#include "plugin/cli/json.h"

namespace paceline::cli {
namespace {

constexpr std::size_t kPartWidth = 16;  // "1000.0/1000.0 MB"
constexpr std::size_t kRateWidth = 10;  // "999.9 MB/s"
constexpr std::size_t kStreamsWidth = 11;
constexpr std::size_t kMaxBar = 40;
constexpr std::size_t kMinBar = 8;
constexpr std::size_t kLayerName = 14;  // Two blanks and a short digest.

/// Which columns a line has, by what the screen has room for.
struct Layout {
  std::size_t line = 0;  ///< Most characters a line may have.
  std::size_t name = 0;
  std::size_t bar = 0;  ///< 0: none.
  bool rate = false;
  bool streams = false;

  Layout(unsigned columns, std::size_t longest_name) : line(columns > 1 ? columns - 1 : 1) {
    rate = line >= 50;
    streams = line >= 64;
    const std::size_t fixed = 2 + kPartWidth + (rate ? 2 + kRateWidth : 0) + (streams ? 2 + kStreamsWidth : 0);
    const std::size_t rest = line > fixed ? line - fixed : 0;
    name = std::min(longest_name, std::max(kLayerName, rest > 2 + kMinBar ? rest - 2 - kMinBar : rest));
    if (rest >= name + 2 + kMinBar) {
      bar = std::min(kMaxBar, rest - name - 2);
    } else {
      name = std::min(longest_name, rest);
    }
  }
};

struct Cells {
  std::string name;
  std::uint64_t received = 0;
  std::uint64_t total = 0;
  double bytes_per_second = 0;
  unsigned streams = 0;
};

std::string moving_line(const Layout& layout, const Cells& cells) {
  std::string out = pad_right(fit(cells.name, layout.name), layout.name);
  if (layout.bar > 0) {
    const double fraction =
        cells.total == 0 ? 0 : static_cast<double>(cells.received) / static_cast<double>(cells.total);
    out += "  " + bar(fraction, layout.bar);
  }
  out += "  " + pad_left(format_part(cells.received, cells.total), kPartWidth);
  if (layout.rate) out += "  " + pad_left(format_rate(cells.bytes_per_second), kRateWidth);
  if (layout.streams) out += "  " + pad_left(cells.streams == 0 ? "-" : count(cells.streams, "stream"), kStreamsWidth);
  return out;
}

std::string word_line(const Layout& layout, const std::string& name, std::string_view words) {
  return pad_right(fit(name, layout.name), layout.name) + "  " + std::string(words);
}

bool is_moving(const v1::BlobProgress& blob) {
  return !blob.done() && (blob.streams() > 0 || blob.received_bytes() > 0);
}

class Frame {
 public:
  Frame(const ProgressModel& model, Screen screen, const Style& style)
      : model_(model),
        style_(style),
        layout_(screen.columns, longest_name(model)),
        room_(std::max(screen.rows, 4U) - 2) {}

  std::vector<std::string> draw() {
    std::vector<const v1::Pull*> running;
    std::vector<const v1::Pull*> queued;
    for (const auto& pull : model_.pulls()) {
      if (!is_over(pull)) (pull.state() == v1::PULL_STATE_QUEUED ? queued : running).push_back(&pull);
    }
    // The queue is one line; so is what does not fit.
    const std::size_t queue_lines = queued.empty() ? 0 : 1;
    std::size_t shown = running.size();
    if (shown + queue_lines > room_) shown = room_ - queue_lines - 1;
    const bool cut = shown < running.size();
    std::size_t spare = room_ - shown - queue_lines - (cut ? 1 : 0);
    for (std::size_t i = 0; i < shown; ++i) {
      add(image(*running[i]));
      spare -= layers(*running[i], spare);
    }
    if (cut) add(style_.dim("and " + std::to_string(running.size() - shown) + " more under way"));
    if (queued.size() == 1) add(word_line(layout_, printable(queued.front()->image()), style_.dim("queued")));
    if (queued.size() > 1) add(style_.dim("and " + std::to_string(queued.size()) + " more queued"));
    add(style_.bold(sum()));
    return std::move(lines_);
  }

 private:
  static std::size_t longest_name(const ProgressModel& model) {
    std::size_t longest = kLayerName;
    for (const auto& pull : model.pulls()) {
      if (!is_over(pull)) longest = std::max(longest, pull.image().size());
    }
    return longest;
  }

  void add(const std::string& line) { lines_.push_back(clip(line, layout_.line)); }

  [[nodiscard]] std::string image(const v1::Pull& pull) const {
    const std::string name = printable(pull.image());
    if (pull.blob_count() == 0 || pull.state() == v1::PULL_STATE_UNPACKING) {
      return word_line(layout_, name, style_.busy(word(pull.state())));
    }
    return moving_line(layout_,
                       {name, pull.received_bytes(), pull.total_bytes(), pull.bytes_per_second(), pull.streams()});
  }

  [[nodiscard]] std::string layer(const v1::Pull& pull, const v1::BlobProgress& blob) const {
    const std::string name = "  " + short_digest(blob.digest());
    if (blob.done() && blob.unpack() != v1::UNPACK_STATE_UNSPECIFIED) return unpacking(name, blob);
    if (blob.done()) {
      return style_.dim(
          word_line(layout_, name, (blob.present() ? "already here  " : "done  ") + format_bytes(blob.size_bytes())));
    }
    if (!is_moving(blob)) return style_.dim(word_line(layout_, name, "waiting  " + format_bytes(blob.size_bytes())));
    return moving_line(layout_, {name, blob.received_bytes(), blob.size_bytes(),
                                 model_.blob_rate(pull.pull_id(), blob.digest()), blob.streams()});
  }

  [[nodiscard]] std::string unpacking(const std::string& name, const v1::BlobProgress& blob) const {
    switch (blob.unpack()) {
      case v1::UNPACK_STATE_UNPACKED:
        return style_.dim(word_line(layout_, name, "unpacked  " + format_bytes(blob.size_bytes())));
      case v1::UNPACK_STATE_FAILED:
        return style_.bad(word_line(layout_, name, "not unpacked"));
      default:
        return style_.dim(
            word_line(layout_, name, "unpacking  " + format_part(blob.unpacked_bytes(), blob.size_bytes())));
    }
  }

  // All layers when there is room, else those that move and how many others there are. Answers the lines used.
  std::size_t layers(const v1::Pull& pull, std::size_t spare) {
    const std::size_t before = lines_.size();
    const auto all = static_cast<std::size_t>(pull.blobs_size());
    if (all <= spare) {
      for (const auto& blob : pull.blobs()) add(layer(pull, blob));
      return lines_.size() - before;
    }
    if (spare < 2) return 0;
    std::size_t waiting = 0;
    std::size_t done = 0;
    for (const auto& blob : pull.blobs()) {
      if (is_moving(blob) && lines_.size() - before + 1 < spare) {
        add(layer(pull, blob));
      } else {
        ++(blob.done() ? done : waiting);
      }
    }
    add(style_.dim("  and " + count(done, "layer") + " done, " + std::to_string(waiting) + " to come"));
    return lines_.size() - before;
  }

  [[nodiscard]] std::string sum() const {
    const Totals totals = model_.totals();
    const std::string text = summary(totals);
    const std::size_t used = text.size() + 2;
    if (layout_.line < used + kMinBar) return text;
    return bar(totals.fraction(), std::min(kMaxBar, layout_.line - used)) + "  " + text;
  }

  const ProgressModel& model_;
  const Style& style_;
  Layout layout_;
  std::size_t room_;  // Lines above the sum.
  std::vector<std::string> lines_;
};

}  // namespace

std::string bar(double fraction, std::size_t width) {
  if (width < 3) return std::string(width, ' ');
  const std::size_t inner = width - 2;
  const auto filled = static_cast<std::size_t>(std::floor(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(inner)));
  std::string body(filled, '=');
  if (filled > 0 && filled < inner) body.back() = '>';
  body.resize(inner, ' ');
  return "[" + body + "]";
}

std::vector<std::string> frame(const ProgressModel& model, Screen screen, const Style& style) {
  return Frame(model, screen, style).draw();
}

std::string summary(const Totals& totals) {
  std::string out = std::to_string(totals.done) + "/" + count(totals.images, "image");
  if (totals.failed > 0) out += ", " + std::to_string(totals.failed) + " failed";
  if (totals.total_bytes > 0) out += "  " + format_part(totals.received_bytes, totals.total_bytes);
  out += "  " + format_rate(totals.bytes_per_second) + "  " + count(totals.streams, "stream");
  out += "  ETA " + (totals.seconds_left ? format_seconds(*totals.seconds_left) : "-");
  return out;
}

std::string ending(const v1::Pull& pull, const Style& style) {
  std::string out = printable(pull.image()) + "  ";
  switch (pull.state()) {
    case v1::PULL_STATE_DONE:
      out += style.good("done");
      break;
    case v1::PULL_STATE_CANCELLED:
      out += style.bad("cancelled");
      break;
    default:
      return out + style.bad("failed") + ": " + printable(pull.error().message());
  }
  const double seconds = static_cast<double>(pull.elapsed_ms()) / 1e3;
  out += "  " + format_bytes(pull.fetched_bytes()) + " fetched in " +
         format_duration(std::chrono::milliseconds(pull.elapsed_ms()));
  if (pull.fetched_bytes() > 0 && seconds > 0) {
    out += " (" + format_rate(static_cast<double>(pull.fetched_bytes()) / seconds) + ")";
  }
  const std::uint64_t news = pull.fetched_bytes() + pull.resumed_bytes();
  if (pull.state() == v1::PULL_STATE_DONE && pull.total_bytes() > news) {
    out += ", " + format_bytes(pull.total_bytes() - news) + " already here";
  }
  if (pull.resumed_bytes() > 0) out += ", " + format_bytes(pull.resumed_bytes()) + " resumed";
  if (pull.retries() > 0) out += ", " + std::to_string(pull.retries()) + (pull.retries() == 1 ? " retry" : " retries");
  return out;
}

}  // namespace paceline::cli
