#include "core/compress/compressor.hh"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>

namespace portolan::compress {
namespace {

constexpr size_t portion = 16 * 1024;
constexpr uint64_t most_at_once = 1u << 30;  // zlib counts in 32 bits

class Gzip final : public Compressor {
 public:
  explicit Gzip(int level) {
    constexpr int largest_window = 15, with_gzip_header = 16, usual_memory = 8;
    good_ = deflateInit2(&stream_, level, Z_DEFLATED, largest_window + with_gzip_header, usual_memory,
                         Z_DEFAULT_STRATEGY) == Z_OK;
  }
  ~Gzip() override {
    if (good_) deflateEnd(&stream_);
  }
  bool good() const { return good_; }

  bool add(std::string_view bytes, bool last, std::string& out) override {
    do {
      std::string_view part = bytes.substr(0, most_at_once);
      bytes.remove_prefix(part.size());
      if (!deflate_all(part, last && bytes.empty() ? Z_FINISH : Z_NO_FLUSH, out)) return false;
    } while (!bytes.empty());
    return true;
  }

 private:
  bool deflate_all(std::string_view part, int flush, std::string& out) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
    stream_.avail_in = static_cast<uInt>(part.size());
    for (;;) {
      size_t before = out.size();
      out.resize(before + portion);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = portion;
      int said = ::deflate(&stream_, flush);
      out.resize(before + portion - stream_.avail_out);
      if (said == Z_STREAM_END) return true;
      if (said != Z_OK && said != Z_BUF_ERROR) return false;
      if (stream_.avail_out != 0 && stream_.avail_in == 0 && flush == Z_NO_FLUSH) return true;
    }
  }
  z_stream stream_{};
  bool good_ = false;
};

class Brotli final : public Compressor {
 public:
  Brotli(int level, uint64_t size) : state_(BrotliEncoderCreateInstance(nullptr, nullptr, nullptr)) {
    if (!state_) return;
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_QUALITY, static_cast<uint32_t>(level));
    // A window larger than the body takes memory and gains nothing.
    uint32_t window = BROTLI_MIN_WINDOW_BITS;
    while (window < BROTLI_DEFAULT_WINDOW && (uint64_t{1} << window) < size + 16) ++window;
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_LGWIN, window);
    BrotliEncoderSetParameter(state_, BROTLI_PARAM_SIZE_HINT,
                              static_cast<uint32_t>(std::min<uint64_t>(size, UINT32_MAX)));
  }
  ~Brotli() override {
    if (state_) BrotliEncoderDestroyInstance(state_);
  }
  bool good() const { return state_ != nullptr; }

  bool add(std::string_view bytes, bool last, std::string& out) override {
    size_t left = bytes.size();
    auto* next = reinterpret_cast<const uint8_t*>(bytes.data());
    BrotliEncoderOperation operation = last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
    do {
      size_t none = 0;
      if (!BrotliEncoderCompressStream(state_, operation, &left, &next, &none, nullptr, nullptr)) return false;
      size_t size = 0;
      const uint8_t* ready = BrotliEncoderTakeOutput(state_, &size);
      out.append(reinterpret_cast<const char*>(ready), size);
    } while (left > 0 || BrotliEncoderHasMoreOutput(state_) || (last && !BrotliEncoderIsFinished(state_)));
    return true;
  }

 private:
  BrotliEncoderState* state_;
};

class Zstd final : public Compressor {
 public:
  Zstd(int level, uint64_t size) : context_(ZSTD_createCCtx()) {
    if (!context_) return;
    // RFC 9659: no browser takes a larger window than 8 MiB; the levels up to 19 ask for no more, given the size.
    constexpr int largest_window = 23;
    auto set = [this](ZSTD_cParameter what, int value) {
      good_ = !ZSTD_isError(ZSTD_CCtx_setParameter(context_, what, value)) && good_;
    };
    good_ = true;
    set(ZSTD_c_compressionLevel, level);
    set(ZSTD_c_checksumFlag, 0);
    if (size > (uint64_t{1} << largest_window)) set(ZSTD_c_windowLog, largest_window);
    good_ = !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context_, size)) && good_;
  }
  ~Zstd() override { ZSTD_freeCCtx(context_); }
  bool good() const { return good_; }

  bool add(std::string_view bytes, bool last, std::string& out) override {
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    for (;;) {
      size_t before = out.size();
      out.resize(before + portion);
      ZSTD_outBuffer ready{out.data() + before, portion, 0};
      size_t left = ZSTD_compressStream2(context_, &ready, &in, last ? ZSTD_e_end : ZSTD_e_continue);
      out.resize(before + ready.pos);
      if (ZSTD_isError(left)) return false;
      if (last ? left == 0 : in.pos == in.size) return true;
    }
  }

 private:
  ZSTD_CCtx* context_;
  bool good_ = false;
};

template <class T>
std::unique_ptr<Compressor> if_good(std::unique_ptr<T> made) {
  if (!made->good()) return nullptr;
  return made;
}

}  // namespace

std::unique_ptr<Compressor> make_compressor(http::Coding coding, const Levels& levels, uint64_t size) {
  switch (coding) {
    case http::Coding::gzip:
      return if_good(std::make_unique<Gzip>(levels.gzip));
    case http::Coding::br:
      return if_good(std::make_unique<Brotli>(levels.br, size));
    case http::Coding::zstd:
      return if_good(std::make_unique<Zstd>(levels.zstd, size));
    case http::Coding::identity:
      break;
  }
  return nullptr;
}

uint64_t largest_output(uint64_t size) {
  return size + size / 64 + 1024;
}

}  // namespace portolan::compress
