#include "plugin/pull/pull_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

namespace paceline::pull {
namespace {

std::string new_id() {
  static std::mutex mutex;
  static std::mt19937_64 random{std::random_device{}()};
  const std::lock_guard lock(mutex);
  return fmt::format("{:010x}", random() & 0xff'ffff'ffffULL);
}

}  // namespace

std::shared_ptr<PullRecord> PullList::add(PullRecord::Request request) {
  const std::lock_guard lock(mutex_);
  auto record = std::make_shared<PullRecord>(++last_key_, new_id(), std::move(request), clock_);
  records_.push_back(record);
  for (auto it = records_.begin(); records_.size() > kept_ && it != records_.end();) {
    it = (*it)->over() ? records_.erase(it) : it + 1;
  }
  return record;
}

std::vector<std::shared_ptr<PullRecord>> PullList::all() const {
  const std::lock_guard lock(mutex_);
  return {records_.begin(), records_.end()};
}

std::shared_ptr<PullRecord> PullList::find(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto it = std::find_if(records_.begin(), records_.end(), [&](const auto& record) { return record->id == id; });
  return it == records_.end() ? nullptr : *it;
}

}  // namespace paceline::pull
