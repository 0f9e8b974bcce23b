#include "plugin/analyze/layer_scan.h"

#include <isa-l/igzip_lib.h>

#include <cstring>
#include <memory>

#include "plugin/base/text.h"
#include "plugin/unpack/decoder.h"
#include "plugin/unpack/entry_path.h"
#include "plugin/unpack/tar_reader.h"

namespace paceline::analyze {
namespace {

using unpack::TarType;

constexpr std::size_t kPieceBytes = 256U << 10U;
constexpr std::uint64_t kProgressBytes = 8U << 20U;

/// How large a piece would be in a registry: ISA-L's second level, some per cent above gzip's usual sixth.
class Compressor {
 public:
  Compressor() : level_buffer_(ISAL_DEF_LVL2_DEFAULT), out_(kPieceBytes * 2) {}

  std::uint64_t size_of(std::span<const std::byte> piece) {
    isal_zstream stream;
    ::isal_deflate_stateless_init(&stream);
    stream.level = 2;
    stream.level_buf = level_buffer_.data();
    stream.level_buf_size = static_cast<std::uint32_t>(level_buffer_.size());
    stream.end_of_stream = 1;
    stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<std::byte*>(piece.data()));
    stream.avail_in = static_cast<std::uint32_t>(piece.size());
    stream.next_out = out_.data();
    stream.avail_out = static_cast<std::uint32_t>(out_.size());
    if (::isal_deflate_stateless(&stream) != COMP_OK) return piece.size();
    return stream.total_out;
  }

 private:
  std::vector<std::uint8_t> level_buffer_;
  std::vector<std::uint8_t> out_;
};

/// The layer's tar, hashed on the way; knows what each piece takes of the blob.
class ScanStream final : public unpack::PieceSource {
 public:
  ScanStream(std::unique_ptr<unpack::Decoder> decoder, const ScanOptions& options)
      : decoder_(std::move(decoder)), options_(options), piece_(new std::byte[kPieceBytes]) {}

  Result<std::span<const std::byte>> next() override {
    if (ended_) return std::span<const std::byte>();
    const std::uint64_t before = decoder_->consumed();
    auto size = decoder_->read(std::span(piece_.get(), kPieceBytes));
    if (!size) return fail(size.error());
    ended_ = *size == 0;
    const std::span<const std::byte> piece(piece_.get(), *size);
    bytes_ += *size;
    sha_.update(piece);
    const std::uint64_t used = decoder_->consumed() - before;
    if (auto status = check(used); !status) return fail(status.error());
    // Only what is stored as it is takes exactly as many bytes as it has.
    plain_ = plain_ && decoder_->consumed() == bytes_;
    const std::uint64_t taken = plain_ && *size > 0 ? compressor().size_of(piece) : used;
    compressed_ += taken;
    ratio_ = *size > 0 ? static_cast<double>(taken) / static_cast<double>(*size) : 0;
    return piece;
  }

  Result<Digest> finish() {
    for (;;) {
      auto piece = next();
      if (!piece) return fail(piece.error());
      if (piece->empty()) break;
    }
    if (options_.progress) {
      if (auto status = options_.progress(unreported_); !status) return fail(status.error());
    }
    return sha_.digest();
  }

  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t consumed() const { return decoder_->consumed(); }
  [[nodiscard]] std::uint64_t compressed() const { return compressed_; }
  [[nodiscard]] bool plain() const { return plain_; }
  /// Of the piece that was handed out last.
  [[nodiscard]] double ratio() const { return ratio_; }

 private:
  Compressor& compressor() {
    if (!compressor_) compressor_ = std::make_unique<Compressor>();
    return *compressor_;
  }

  Status check(std::uint64_t used) {
    const auto& limits = options_.limits;
    if (bytes_ > limits.bytes) {
      return fail(Code::kResourceExhausted,
                  "the layer is larger than " + format_bytes(limits.bytes) + " uncompressed, the limit");
    }
    if (bytes_ > limits.ratio_counts_from && bytes_ / limits.ratio > decoder_->consumed()) {
      return fail(Code::kResourceExhausted, "the layer grows to more than " + std::to_string(limits.ratio) +
                                                " times its compressed size, the limit");
    }
    unreported_ += used;
    if (unreported_ < kProgressBytes || !options_.progress) return {};
    return options_.progress(std::exchange(unreported_, 0));
  }

  const std::unique_ptr<unpack::Decoder> decoder_;
  const ScanOptions& options_;
  const std::unique_ptr<std::byte[]> piece_;
  std::unique_ptr<Compressor> compressor_;
  Sha256 sha_;
  std::uint64_t bytes_ = 0, compressed_ = 0, unreported_ = 0;
  double ratio_ = 0;
  bool plain_ = true, ended_ = false;
};

class Scan {
 public:
  Scan(ScanStream& stream, const ScanOptions& options, ScannedLayer& layer)
      : stream_(stream), reader_(stream), options_(options), layer_(layer) {}

  Status run() {
    unpack::TarEntry entry;
    for (;;) {
      auto more = reader_.next(entry);
      if (!more) return fail(more.error().context("after " + std::to_string(layer_.entries.size()) + " entries"));
      if (!*more) return {};
      if (entry.header.type == TarType::kPaxGlobal) continue;
      if (layer_.entries.size() == options_.limits.entries) {
        return fail(Code::kResourceExhausted,
                    "the layer has more than " + std::to_string(options_.limits.entries) + " entries, the limit");
      }
      if (auto status = one(entry); !status) {
        return fail(status.error().context("entry " + unpack::printable(entry.header.name)));
      }
      if (layer_.names.size() > options_.most_name_bytes) {
        return fail(Code::kResourceExhausted, "the layer's names take more than " +
                                                  format_bytes(options_.most_name_bytes) + ", the limit, after " +
                                                  std::to_string(layer_.entries.size()) + " entries");
      }
    }
  }

 private:
  Status one(const unpack::TarEntry& tar) {
    auto path = unpack::parse_entry_path(tar.header.name);
    if (!path) return fail(path.error());
    auto whiteout = unpack::classify_whiteout(path->name);
    if (!whiteout) return fail(whiteout.error());
    Entry entry;
    std::string name = path->full();
    switch (*whiteout) {
      case unpack::Whiteout::kFile: {
        entry.kind = EntryKind::kWhiteout;
        const std::string hidden(unpack::whiteout_target(path->name));
        name = path->folder.empty() ? hidden : path->folder + "/" + hidden;
        break;
      }
      case unpack::Whiteout::kOpaque:
        entry.kind = EntryKind::kOpaque;
        name = path->folder;
        break;
      case unpack::Whiteout::kNone: {
        auto kind = kind_of(tar.header.type);
        if (!kind) return fail(kind.error());
        entry.kind = *kind;
        break;
      }
    }
    put(name, entry.name_at, entry.name_size);
    if (entry.kind == EntryKind::kHardLink) {
      auto target = unpack::parse_entry_path(tar.header.link);
      if (!target) return fail(target.error());
      put(target->full(), entry.link_at, entry.link_size);
    } else if (entry.kind == EntryKind::kSymlink) {
      if (auto status = check_target(tar.header.link); !status) return status;
      put(tar.header.link, entry.link_at, entry.link_size);
    }
    double compressed = unpack::kTarBlock * stream_.ratio();
    if (entry.kind == EntryKind::kFile) {
      entry.size = static_cast<std::uint64_t>(tar.header.size);
      if (entry.size > options_.limits.bytes - file_bytes_) {
        return fail(Code::kResourceExhausted, "with it the layer's files are larger than " +
                                                  format_bytes(options_.limits.bytes) + ", the limit, holes included");
      }
      file_bytes_ += entry.size;
      if (auto status = read_content(name, tar, entry, compressed); !status) return status;
    }
    entry.compressed = static_cast<std::uint64_t>(compressed);
    layer_.entries.push_back(entry);
    return {};
  }

  Status read_content(const std::string& name, const unpack::TarEntry& tar, Entry& entry, double& compressed) {
    const bool keeps = options_.keep && options_.keep(name);
    // Without one of them nobody could say which files are of no package.
    if (keeps && entry.size > options_.most_kept_bytes - kept_bytes_) {
      return fail(Code::kResourceExhausted, "with it the layer's package databases are larger than " +
                                                format_bytes(options_.most_kept_bytes) + ", the limit");
    }
    const bool hashes = entry.size >= kLeastDuplicate;
    Sha256 sha;
    // The same bytes at other places are another content.
    if (hashes && tar.sparse) sha.update(std::as_bytes(std::span(tar.extents)));
    std::string content;
    for (;;) {
      auto bytes = reader_.data();
      if (!bytes) return fail(bytes.error());
      if (bytes->empty()) break;
      entry.stored += bytes->size();
      compressed += static_cast<double>(bytes->size()) * stream_.ratio();
      if (hashes) sha.update(*bytes);
      if (keeps) content.append(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    }
    if (hashes) std::memcpy(entry.content.data(), sha.digest().bytes().data(), sizeof entry.content);
    if (keeps) {
      kept_bytes_ += content.size();
      layer_.kept.emplace(layer_.entries.size(), std::move(content));
    }
    return {};
  }

  /// What symlink(2) takes.
  static Status check_target(std::string_view target) {
    if (target.empty()) return fail(Code::kInvalidArgument, "its target is empty");
    if (target.size() <= unpack::kMaxPathBytes) return {};
    return fail(Code::kInvalidArgument,
                "its target is longer than " + std::to_string(unpack::kMaxPathBytes) + " bytes");
  }

  static Result<EntryKind> kind_of(TarType type) {
    switch (type) {
      case TarType::kRegular:
      case TarType::kRegularOld:
        return EntryKind::kFile;
      case TarType::kDirectory:
        return EntryKind::kDirectory;
      case TarType::kSymlink:
        return EntryKind::kSymlink;
      case TarType::kHardLink:
        return EntryKind::kHardLink;
      case TarType::kCharacterDevice:
      case TarType::kBlockDevice:
      case TarType::kFifo:
        return EntryKind::kOther;
      default:
        return fail(Code::kInvalidArgument, "its type is unknown");
    }
  }

  void put(std::string_view text, std::uint64_t& at, std::uint32_t& size) {
    at = layer_.names.size();
    size = static_cast<std::uint32_t>(text.size());
    layer_.names += text;
  }

  ScanStream& stream_;
  unpack::TarReader reader_;
  const ScanOptions& options_;
  ScannedLayer& layer_;
  std::uint64_t kept_bytes_ = 0;
  std::uint64_t file_bytes_ = 0;
};

}  // namespace

Result<ScannedLayer> scan_layer(unpack::LayerSource& source, std::string_view media_type,
                                const std::optional<Digest>& expected, const ScanOptions& options) {
  auto decoder = unpack::open_decoder(source, media_type);
  if (!decoder) return fail(decoder.error());
  ScanStream stream(std::move(*decoder), options);
  ScannedLayer layer;
  if (auto status = Scan(stream, options, layer).run(); !status) return fail(status.error());
  auto diff_id = stream.finish();
  if (!diff_id) return fail(diff_id.error());
  layer.diff_id = *diff_id;
  layer.uncompressed_bytes = stream.bytes();
  layer.blob_bytes = stream.consumed();
  layer.compressed_bytes = stream.compressed();
  layer.estimated = stream.plain() && stream.bytes() > 0;
  if (expected && *expected != layer.diff_id) {
    return fail(Code::kFailedPrecondition, "the layer's diffID is " + layer.diff_id.to_string() +
                                               ", but the image's config says " + expected->to_string());
  }
  return layer;
}

}  // namespace paceline::analyze
