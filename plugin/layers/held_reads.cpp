#include "plugin/layers/held_reads.h"

#include <algorithm>
#include <utility>

namespace paceline::layers {
namespace {

using namespace std::chrono_literals;

// Twice the time after which the engine begins a stalled download anew.
constexpr Duration kStill = 30s;
// containerd asks for the first layer at once; the machine may be busy.
constexpr Duration kAsksWithin = 30s;
// As long as layers are on offer.
constexpr Duration kRemembered = 10min;

}  // namespace

bool HeldReads::Image::resolved() const {
  return plans == 0 && std::ranges::all_of(jobs, [](const auto& job) { return job->resolved(); });
}

std::uint64_t HeldReads::Image::measure() const {
  std::uint64_t sum = plans == 0 ? 1 : 0;
  for (const auto& job : jobs) sum += job->read_bytes + static_cast<std::uint64_t>(job->state.load());
  return sum;
}

void HeldReads::expect(const Digest& config, const std::set<std::string>& readers, TimePoint now) {
  Image& image = images_[config];
  ++image.plans;
  image.readers.insert(readers.begin(), readers.end());
  image.expected_at = now;
}

void HeldReads::planned(const Digest& config, const Jobs& jobs) {
  const auto it = images_.find(config);
  if (it == images_.end()) return;
  --it->second.plans;
  it->second.jobs = jobs;
}

bool HeldReads::hold(const Digest& config, const std::string& reader, Go& go, TimePoint now) {
  const auto it = images_.find(config);
  if (it == images_.end()) return false;
  Image& image = it->second;
  image.readers.insert(reader);
  if (image.given_up || image.resolved() || is_stranger(reader)) return false;
  if (image.waiting.empty()) {
    image.progress = image.measure();
    image.moved_at = now;
  }
  image.held.insert(reader);
  image.waiting.push_back(std::move(go));
  return true;
}

void HeldReads::release(Image& image, TimePoint now, std::vector<Go>& released) {
  if (image.waiting.empty()) return;
  if (!image.resolved()) {
    if (const auto progress = image.measure(); progress != image.progress) {
      image.progress = progress;
      image.moved_at = now;
    }
    if (now - image.moved_at < kStill) return;
    image.given_up = true;
  }
  image.released_at = now;
  std::ranges::move(image.waiting, std::back_inserter(released));
  image.waiting.clear();
}

std::vector<HeldReads::Go> HeldReads::release(TimePoint now) {
  std::vector<Go> released;
  for (auto& [config, image] : images_) release(image, now, released);
  std::erase_if(images_, [&](const auto& entry) { return is_done_with(entry.second, now); });
  return released;
}

bool HeldReads::is_done_with(const Image& image, TimePoint now) {
  if (!image.waiting.empty() || image.plans > 0) return false;
  if (!image.released_at || now - *image.released_at < kAsksWithin) return now - image.expected_at > kRemembered;
  const bool offered =
      std::ranges::any_of(image.jobs, [](const auto& job) { return job->state == LayerJob::State::kReady; });
  if (!image.asked && offered) strangers_.insert(image.held.begin(), image.held.end());
  return true;
}

std::vector<HeldReads::Go> HeldReads::release_all() {
  std::vector<Go> released;
  for (auto& [config, image] : images_) std::ranges::move(image.waiting, std::back_inserter(released));
  images_.clear();
  return released;
}

void HeldReads::asked(const LayerJob& job) {
  for (auto& [config, image] : images_) {
    if (std::ranges::none_of(image.jobs, [&](const auto& one) { return one.get() == &job; })) continue;
    image.asked = true;
    for (const auto& reader : image.readers) strangers_.erase(reader);
  }
}

}  // namespace paceline::layers
