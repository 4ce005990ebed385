package intel

// Layout of a quote: byte offsets and sizes (TEE specification §2.1 to §2.4).
// Integers are little-endian, ECDSA values big-endian and raw.
const (
	HeaderSize        = 48
	EnclaveReportSize = 384
	TDReport10Size    = 584
	TDReport15Size    = 648
	SignatureSize     = 64 // r‖s
	PublicKeySize     = 64 // x‖y

	OffVersion  = 0
	OffKeyType  = 2
	OffTEEType  = 4 // format 3: reserved, zero
	OffQESVN    = 8
	OffPCESVN   = 10
	OffVendorID = 12
	OffUserData = 28
)

// Format versions of a quote.
const (
	Version3 = 3 // SGX only
	Version4 = 4
	Version5 = 5 // body type (u16) and body size (u32) stand between header and body
)

// Values of the header.
const (
	KeyTypeECDSAP256 = 2
	TEETypeSGX       = 0
	TEETypeTDX       = 0x81
)

// Body types of format 5.
const (
	BodySGX  = 1
	BodyTD10 = 2
	BodyTD15 = 3
)

// Certification data types.
const (
	CertPCKChain = 5 // PEM: PCK certificate, its CA, the root
	CertQEReport = 6 // formats 4 and 5: wraps the QE report and the real certification data
)

// VendorIDIntel is the quoting enclave vendor every accepted quote names.
var VendorIDIntel = [16]byte{0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9, 0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07}

// Offsets in an enclave report, quoted or of the quoting enclave (§2.2).
const (
	OffCPUSVN       = 0
	OffMiscSelect   = 16
	OffISVExtProdID = 32
	OffAttributes   = 48 // FLAGS u64, XFRM u64
	OffMRENCLAVE    = 64
	OffMRSIGNER     = 128
	OffConfigID     = 192
	OffISVProdID    = 256
	OffISVSVN       = 258
	OffConfigSVN    = 260
	OffISVFamilyID  = 304
	OffReportData   = 320
)

// reservedRanges of an enclave report are zero on all hardware seen.
var reservedRanges = [][2]int{{20, 32}, {96, 128}, {160, 192}, {262, 304}}

// FlagDebug of ATTRIBUTES.FLAGS: the enclave's memory can be read from outside.
const FlagDebug = 1 << 1

// Offsets in a TD report (§2.3).
const (
	OffTEETCBSVN      = 0
	OffMRSEAM         = 16
	OffMRSIGNERSEAM   = 64
	OffSEAMAttributes = 112
	OffTDAttributes   = 120
	OffXFAM           = 128
	OffMRTD           = 136
	OffMRConfigID     = 184
	OffMROwner        = 232
	OffMROwnerConfig  = 280
	OffRTMR           = 328 // four of 48 bytes
	OffTDReportData   = 520
	OffTEETCBSVN2     = 584 // TD 1.5
	OffMRServiceTD    = 600 // TD 1.5
)

// Names of attribute bits that Explain shows.
var (
	enclaveFlags = map[int]string{0: "INIT", 1: "DEBUG", 2: "MODE64BIT", 4: "PROVISIONKEY", 5: "EINITTOKENKEY", 7: "KSS"}
	tdFlags      = map[int]string{0: "DEBUG", 27: "LASS", 28: "SEPT_VE_DISABLE", 29: "MIGRATABLE", 30: "PKS", 31: "KL", 63: "PERFMON"}
)
