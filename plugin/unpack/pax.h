// PAX extended headers (POSIX pax(1), "pax Extended Header") and the sparse maps GNU tar keeps in them. Pure
// functions, any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/base/result.h"
#include "plugin/unpack/tar_header.h"

namespace paceline::unpack {

using PaxRecords = std::map<std::string, std::string, std::less<>>;

/// The records of one extended header; the last of equal keys wins. GNU sparse format 0.0, whose keys repeat, becomes
/// 0.1's "GNU.sparse.map".
Result<PaxRecords> parse_pax(std::string_view data);
/// A whole decimal number, signed.
Result<std::int64_t> parse_pax_number(std::string_view text);
/// "1700000000.123456789", negative too; digits beyond the ninth are cut.
Result<Timestamp> parse_pax_time(std::string_view text);
/// Puts path, linkpath, size, uid, gid, mtime and atime in place of the header's; an empty value changes nothing.
Status apply_pax(const PaxRecords& records, TarHeader& header);

/// Where the sparse map of an entry is: in the records (formats 0.0, 0.1), or before the data (1.0).
enum class PaxSparse { kNone, kInRecords, kInData };
PaxSparse pax_sparse_format(const PaxRecords& records);
/// Name and size of the file itself, which GNU tar keeps apart from those of what is stored.
Status apply_pax_sparse(const PaxRecords& records, TarHeader& header);
Result<std::vector<Extent>> parse_pax_sparse_map(const PaxRecords& records);

}  // namespace paceline::unpack
