#include "tests/support/tar_writer.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

namespace paceline::test {
namespace {

constexpr std::size_t kBlock = 512;

void put(std::string& header, std::size_t offset, std::size_t length, std::string_view text) {
  std::memcpy(header.data() + offset, text.data(), std::min(length, text.size()));
}

/// Octal where it fits, else base-256.
void put_number(std::string& header, std::size_t offset, std::size_t length, std::int64_t value) {
  if (value >= 0 && value < (std::int64_t{1} << (3 * (length - 1)))) {
    char text[32];
    std::snprintf(text, sizeof(text), "%0*llo", static_cast<int>(length - 1), static_cast<unsigned long long>(value));
    put(header, offset, length, text);
    return;
  }
  for (std::size_t i = 0; i < length; ++i) {
    const unsigned shift = 8 * static_cast<unsigned>(length - 1 - i);
    const std::int64_t bits = shift < 64 ? value >> shift : (value < 0 ? -1 : 0);
    header[offset + i] = static_cast<char>(bits & 0xff);
  }
  header[offset] = static_cast<char>(static_cast<unsigned char>(header[offset]) | 0x80U);
}

}  // namespace

void fix_checksum(std::string& header) {
  header.replace(148, 8, 8, ' ');
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  char text[16];
  std::snprintf(text, sizeof(text), "%06o", sum);
  header.replace(148, 7, std::string(text, 6) + '\0');
}

std::string tar_header(const TarItem& item) {
  std::string header(kBlock, '\0');
  put(header, 0, 100, item.name);
  put_number(header, 100, 8, item.mode);
  put_number(header, 108, 8, item.uid);
  put_number(header, 116, 8, item.gid);
  put_number(header, 124, 12, item.size >= 0 ? item.size : static_cast<std::int64_t>(item.content.size()));
  put_number(header, 136, 12, item.mtime);
  header[156] = item.type;
  put(header, 157, 100, item.link);
  header.replace(257, 8, std::string_view("ustar\00000", 8));
  put_number(header, 329, 8, item.major);
  put_number(header, 337, 8, item.minor);
  fix_checksum(header);
  return header;
}

std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;  // " ", "=" and the line's end.
  std::size_t length = rest + 1;
  while (length != rest + std::to_string(length).size()) ++length;
  return std::to_string(length) + " " + std::string(key) + "=" + std::string(value) + "\n";
}

std::string padded(std::string_view content) {
  std::string bytes(content);
  bytes.resize((bytes.size() + kBlock - 1) / kBlock * kBlock, '\0');
  return bytes;
}

TarWriter& TarWriter::add(const TarItem& item) {
  if (!item.pax.empty()) {
    std::string records;
    for (const auto& [key, value] : item.pax) records += pax_record(key, value);
    archive_ += tar_header({.name = "pax", .type = 'x', .content = records}) + padded(records);
  }
  archive_ += tar_header(item) + padded(item.content);
  return *this;
}

TarWriter& TarWriter::file(std::string_view name, std::string_view content, std::int64_t mode) {
  return add({.name = std::string(name), .content = std::string(content), .mode = mode});
}

TarWriter& TarWriter::folder(std::string_view name, std::int64_t mode) {
  return add({.name = std::string(name), .type = '5', .mode = mode});
}

TarWriter& TarWriter::symlink(std::string_view name, std::string_view target) {
  return add({.name = std::string(name), .type = '2', .link = std::string(target), .mode = 0777});
}

TarWriter& TarWriter::hard_link(std::string_view name, std::string_view target) {
  return add({.name = std::string(name), .type = '1', .link = std::string(target)});
}

TarWriter& TarWriter::raw(std::string_view bytes) {
  archive_ += bytes;
  return *this;
}

std::string gzip(std::string_view data) {
  const auto stream = std::make_unique<isal_zstream>();
  isal_deflate_stateless_init(stream.get());
  std::string out(data.size() + data.size() / 8 + 4096, '\0');
  stream->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(data.data()));
  stream->avail_in = static_cast<std::uint32_t>(data.size());
  stream->next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream->avail_out = static_cast<std::uint32_t>(out.size());
  stream->end_of_stream = 1;
  stream->gzip_flag = IGZIP_GZIP;
  if (isal_deflate_stateless(stream.get()) != COMP_OK) return {};
  out.resize(stream->total_out);
  return out;
}

std::string zstd(std::string_view data) {
  std::string out(ZSTD_compressBound(data.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), data.data(), data.size(), 3));
  return out;
}

}  // namespace paceline::test
