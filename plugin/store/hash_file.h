// Feeds a stretch of a file to a hash, through one small buffer a thread. Any thread.
#pragma once

#include <cstdint>
#include <functional>

#include "plugin/base/digest.h"
#include "plugin/base/result.h"

namespace paceline::store {

/// Hashes [first, end); `step`, when given, is told after each buffer how far it is. kDataLoss when the file is
/// shorter.
Status hash_file(int fd, std::uint64_t first, std::uint64_t end, Sha256& hash,
                 const std::function<void(std::uint64_t)>& step = {});

}  // namespace paceline::store
