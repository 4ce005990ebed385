package wire

// 8xx: nodes, membership, governance and the beacon.
const ()

var nodeCodes = map[Code]Info{}
