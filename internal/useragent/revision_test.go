package useragent

import "testing"

func TestRevision(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string]string{
		"Grandstream Model HW GXV3240 V1.6B SW 1.0.1.27 DevId 000b82632815": "V1.6B",
		"Grandstream Model HW GXV3350  V1.3A SW 1.0.1.8 DevId c074ad150b88": "V1.3A",
		"Grandstream Model HW HT802V2 V1.0A SW 1.0.5.4 DevId ec74d763e419":  "V1.0A",
		"Grandstream HT-503  V1.1B 1.0.10.9  chip V2.2":                     "V1.1B",
		"Grandstream Model HW GXP2135 SW 1.0.7.97 DevId 000b828aa872":       "",
		"Yealink-T46G 28.71.0.81 28.1.0.128.0.0.0":                          "28.1.0.128.0.0.0",
		"Yealink SIP-T46S 66.86.0.15 80:5e:c0:aa:bb:cc":                     "",
		"Yealink SIP-T46S 66.86.0.15":                                       "",
		"FileTransport PolycomVVX-VVX_500-UA/5.9.7.4477 Type/Application":   "",
		"": "",
	} {
		if got := Revision(ua); got != want {
			t.Errorf("%s: %q, want %q", ua, got, want)
		}
	}
}

func TestFromUpdater(t *testing.T) {
	t.Parallel()
	for ua, want := range map[string]bool{
		"FileTransport PolycomVVX-VVX_500-UA/5.9.7.47435 Type/Updater":    true,
		"FileTransport PolycomVVX-VVX_500-UA/5.9.7.4477 Type/Application": false,
		"": false,
	} {
		if got := FromUpdater(ua); got != want {
			t.Errorf("%s: %v", ua, got)
		}
	}
}
