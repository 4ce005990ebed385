package wire

// 7xx: the registry of manufacturers, devices and their attestation.
const ()

var hardwareCodes = map[Code]Info{}
