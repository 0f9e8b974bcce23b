// The blobs read most recently, kept open: a Read then costs no open(2). Any thread; closing happens outside the mutex.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "plugin/base/digest.h"
#include "plugin/store/open_blob.h"

namespace paceline::store {

class DescriptorCache {
 public:
  explicit DescriptorCache(std::size_t capacity) : capacity_(capacity) {}

  /// Null when it is not open.
  std::shared_ptr<const OpenBlob> find(const Digest& digest);
  void insert(const Digest& digest, std::shared_ptr<const OpenBlob> blob);
  void erase(const Digest& digest);

 private:
  struct Item {
    Digest digest;
    std::shared_ptr<const OpenBlob> blob;
  };
  std::mutex mutex_;
  std::size_t capacity_;
  std::list<Item> items_;  ///< Most recently used first.
  std::unordered_map<Digest, std::list<Item>::iterator> index_;
};

}  // namespace paceline::store
