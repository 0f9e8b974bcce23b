#include "plugin/unpack/pax.h"

#include <algorithm>
#include <charconv>

#include "plugin/base/text.h"

namespace paceline::unpack {
namespace {

constexpr std::string_view kSparseMap = "GNU.sparse.map";

std::string_view value_of(const PaxRecords& records, std::string_view key) {
  const auto found = records.find(key);
  return found == records.end() ? std::string_view() : std::string_view(found->second);
}

bool is_text_key(std::string_view key) {
  return key == "path" || key == "linkpath" || key == "uname" || key == "gname";
}

/// Takes "<length> <key>=<value>\n" off the front of `data`.
Result<std::pair<std::string_view, std::string_view>> take_record(std::string_view& data) {
  const auto wrong = [] { return fail(Code::kInvalidArgument, "a PAX header holds a malformed record"); };
  const std::size_t space = data.find(' ');
  if (space == std::string_view::npos) return wrong();
  auto length = parse_pax_number(data.substr(0, space));
  if (!length || *length < 5 || static_cast<std::uint64_t>(*length) > data.size()) return wrong();
  const auto total = static_cast<std::size_t>(*length);
  if (total <= space + 1 || data[total - 1] != '\n') return wrong();
  const std::string_view record = data.substr(space + 1, total - space - 2);
  data.remove_prefix(total);
  const std::size_t equals = record.find('=');
  if (equals == std::string_view::npos || equals == 0) return wrong();
  const std::string_view key = record.substr(0, equals);
  const std::string_view value = record.substr(equals + 1);
  if (key.find('\0') != std::string_view::npos) return wrong();
  if (is_text_key(key) && value.find('\0') != std::string_view::npos) {
    return fail(Code::kInvalidArgument, "a PAX header's " + std::string(key) + " holds a NUL");
  }
  return std::pair(key, value);
}

}  // namespace

Result<PaxRecords> parse_pax(std::string_view data) {
  PaxRecords records;
  std::string map;
  std::size_t numbers = 0;  // In the 0.0 map: offset and length take turns.
  while (!data.empty()) {
    auto record = take_record(data);
    if (!record) return fail(record.error());
    const auto& [key, value] = *record;
    const bool is_offset = key == "GNU.sparse.offset";
    if (is_offset || key == "GNU.sparse.numbytes") {
      if (is_offset != (numbers % 2 == 0) || value.find(',') != std::string_view::npos) {
        return fail(Code::kInvalidArgument, "a PAX header's sparse map is out of order");
      }
      if (numbers++ > 0) map += ',';
      map += value;
    } else {
      records.insert_or_assign(std::string(key), std::string(value));
    }
  }
  if (numbers > 0) records.insert_or_assign(std::string(kSparseMap), std::move(map));
  return records;
}

Result<std::int64_t> parse_pax_number(std::string_view text) {
  if (text.starts_with('+') && text.size() > 1 && text[1] != '-') text.remove_prefix(1);  // As Go's strconv reads it.
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 10);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Code::kInvalidArgument, "a PAX header holds something else than a number");
  }
  return value;
}

Result<Timestamp> parse_pax_time(std::string_view text) {
  const std::size_t dot = text.find('.');
  auto seconds = parse_pax_number(text.substr(0, dot));
  if (!seconds) return fail(seconds.error());
  Timestamp time{*seconds, 0};
  if (dot == std::string_view::npos) return time;
  const std::string_view fraction = text.substr(dot + 1);
  std::uint32_t nanoseconds = 0;
  for (std::size_t i = 0; i < std::max<std::size_t>(fraction.size(), 9); ++i) {
    const char digit = i < fraction.size() ? fraction[i] : '0';
    if (digit < '0' || digit > '9')
      return fail(Code::kInvalidArgument, "a PAX header holds something else than a time");
    if (i < 9) nanoseconds = nanoseconds * 10 + static_cast<std::uint32_t>(digit - '0');
  }
  if (text.starts_with('-') && nanoseconds > 0 && time.seconds > INT64_MIN) {
    return Timestamp{time.seconds - 1, 1'000'000'000 - nanoseconds};
  }
  time.nanoseconds = nanoseconds;
  return time;
}

Status apply_pax(const PaxRecords& records, TarHeader& header) {
  if (records.empty()) return {};
  if (const auto path = value_of(records, "path"); !path.empty()) header.name = path;
  if (const auto link = value_of(records, "linkpath"); !link.empty()) header.link = link;
  const std::pair<std::string_view, std::int64_t*> numbers[] = {
      {"uid", &header.uid}, {"gid", &header.gid}, {"size", &header.size}};
  for (const auto& [key, target] : numbers) {
    const auto text = value_of(records, key);
    if (text.empty()) continue;
    auto number = parse_pax_number(text);
    if (!number) return fail(number.error());
    *target = *number;
  }
  const std::pair<std::string_view, Timestamp*> times[] = {{"mtime", &header.modified}, {"atime", &header.accessed}};
  for (const auto& [key, target] : times) {
    const auto text = value_of(records, key);
    if (text.empty()) continue;
    auto time = parse_pax_time(text);
    if (!time) return fail(time.error());
    *target = *time;
  }
  return {};
}

PaxSparse pax_sparse_format(const PaxRecords& records) {
  if (records.empty()) return PaxSparse::kNone;
  const auto major = value_of(records, "GNU.sparse.major");
  const auto minor = value_of(records, "GNU.sparse.minor");
  if (major == "0" && (minor == "0" || minor == "1")) return PaxSparse::kInRecords;
  if (major == "1" && minor == "0") return PaxSparse::kInData;
  if (!major.empty() || !minor.empty()) return PaxSparse::kNone;  // Of a version to come.
  return value_of(records, kSparseMap).empty() ? PaxSparse::kNone : PaxSparse::kInRecords;
}

Status apply_pax_sparse(const PaxRecords& records, TarHeader& header) {
  if (const auto name = value_of(records, "GNU.sparse.name"); !name.empty()) header.name = name;
  auto size = value_of(records, "GNU.sparse.size");
  if (size.empty()) size = value_of(records, "GNU.sparse.realsize");
  if (size.empty()) return {};
  auto number = parse_pax_number(size);
  if (!number) return fail(number.error());
  header.size = *number;
  return {};
}

Result<std::vector<Extent>> parse_pax_sparse_map(const PaxRecords& records) {
  const auto wrong = [] { return fail(Code::kInvalidArgument, "a PAX header's sparse map is malformed"); };
  auto count = parse_pax_number(value_of(records, "GNU.sparse.numblocks"));
  if (!count || *count < 0) return wrong();
  const auto map = value_of(records, kSparseMap);
  std::vector<std::string_view> numbers;
  if (!map.empty()) numbers = split(map, ',');
  if (numbers.size() % 2 != 0 || static_cast<std::uint64_t>(*count) != numbers.size() / 2) return wrong();
  std::vector<Extent> extents;
  extents.reserve(numbers.size() / 2);
  for (std::size_t i = 0; i < numbers.size(); i += 2) {
    auto offset = parse_pax_number(numbers[i]);
    auto length = parse_pax_number(numbers[i + 1]);
    if (!offset || !length) return wrong();
    extents.push_back({*offset, *length});
  }
  return extents;
}

}  // namespace paceline::unpack
