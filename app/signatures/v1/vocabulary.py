"""The words the masks of v1 know: units, codes, names that carry digits.

All of it is general computing vocabulary; none of it comes from one system's logs.
"""

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


DURATIONS = _words(
    "ns us µs μs ms s sec secs second seconds msec msecs usec usecs nsec min mins minute "
    "minutes hour hours hr hrs day days week weeks millis millisecond milliseconds micros "
    "microsecond microseconds nanos nanosecond nanoseconds"
)
SIZES = _words(
    "B byte bytes Byte Bytes bit bits octets kB KB MB GB TB PB KiB MiB GiB TiB kb mb gb tb "
    "kilobytes megabytes gigabytes Kbytes Mbytes Gbytes"
)
ATTACHED_DURATIONS = DURATIONS | _words("m h d w")
ATTACHED_SIZES = SIZES | _words("K M G T k g")

ORDINALS = frozenset(("st", "nd", "rd", "th"))

CODE_WORDS = _words(
    "status code errno signal exit sqlstate rc retcode returncode statuscode exitcode "
    "errorcode httpstatus error err errcode winerror exited hresult ntstatus"
)
"""Words after which a short number names the error."""

OTHER_CODES = _words(
    "country zip postal post area dial promo coupon discount voucher gift invite invitation "
    "referral verification activation confirmation access security auth authorization pin otp "
    "reset tracking booking product item sku language currency airport station source bar qr "
    "customer bank sort branch branding color colour"
)
"""`zip code 10115`: before `code` these words say that it names no error."""

STATUS_WORDS = _words(
    "http returned returns responded answered replied got received with response failed unexpected"
)
"""Words after which a number is a status only when it looks like one: 100 to 599."""

PASSING = _words("= -> : is was are were of a an the")
"""Words between what announces a code and the code: `status is 404`, `answered with a 503`."""

METHODS = _words("GET POST PUT PATCH DELETE HEAD OPTIONS")
"""RFC 9110 section 9: `GET /orders 404`."""

NO_PLURALS = _words("always this sometimes does means perhaps unless minus plus versus")

COUNTED = _words(
    "rows row records record results result items item bytes byte entries entry hits "
    "documents document objects object lines messages elements keys values tokens events "
    "ms s seconds times files"
)
"""`returned 404 rows` counts rows: the number before these words is no status."""

REASONS = _words(
    "Not Forbidden Bad Internal Service Gateway Unauthorized Too Conflict Unprocessable "
    "Client Server Gone Method Payment Request Precondition Temporary Moved Proxy NOT BAD"
)
"""First words of HTTP reason phrases, RFC 9110 section 15: `404 Not Found`."""

NAMES_WITH_DIGITS = _words(
    "utf8 utf16 utf32 utf8mb4 latin1 iso8859 sha1 sha2 sha3 sha224 sha256 sha384 sha512 md4 "
    "md5 aes128 aes256 rc4 des3 base16 base32 base58 base64 x509 pkcs1 pkcs7 pkcs8 pkcs12 "
    "x86 x64 amd64 arm64 aarch64 win32 win64 i386 i686 int8 int16 int32 int64 uint8 uint16 "
    "uint32 uint64 float32 float64 ipv4 ipv6 ip4 ip6 http2 http3 h2c socks4 socks4a "
    "socks5 ssh1 ssh2 tls1 sslv2 sslv3 tlsv1 oauth1 oauth2 s3 ec2 k8s log4j log4j2 slf4j "
    "i18n l10n neo4j db2 psycopg2 psycopg3 boto3 urllib3 httplib2 jinja2 python2 python3 "
    "py3 es5 es6 web3 gen2 ext2 ext3 ext4 nfsv3 nfsv4 imap4 pop3 mp3 mp4 h264 utf7 bz2 lz4 "
    "c3p0 e2e p2p b2b e11000 e11001"
)
"""Names of protocols, formats and products: their digits are no numbers."""

NAMING_NOUNS = _words(
    "relation relations table column columns constraint index schema sequence view trigger "
    "function procedure operator type types cast language role extension database "
    "attribute attributes property properties module modules package named name class "
    "method field fields parameter parameters argument arguments arg variable option key "
    "keyword reading setting symbol identifier member enum struct trait macro crate "
    "namespace library plugin directive header host upstream queue topic exchange index "
    "instance interface bean provider component import export from cannot keyerror"
)
"""A quoted word beside one of these is a name, not a user's value."""

CODE_NOUNS = _words("status code error err errno reason state result sqlstate errorcode")
"""A quoted word beside one of these says what went wrong: `error="timeout"`, `status "404"`."""

NAMED_AFTER = _words("object objects table column relation constraint attribute")

MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
DAYS = "Mon|Tue|Wed|Thu|Fri|Sat|Sun"
MONTH_WORD = re.compile(rf"(?:{MONTHS})[a-z]{{0,6}},?")
