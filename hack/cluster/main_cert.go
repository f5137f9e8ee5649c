package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// certificates is what `cluster certificate` prints: PEM texts of an authority
// made for this one call and of a server and a client certificate it signed.
type certificates struct {
	CA         string `json:"ca"`
	ServerCert string `json:"serverCert"`
	ServerKey  string `json:"serverKey"`
	ClientCert string `json:"clientCert"`
	ClientKey  string `json:"clientKey"`
}

// printCertificates writes certificates as JSON to stdout. The hosts (names or
// addresses) are the server certificate's; the client certificate's common name
// is "test-client". Node has no way to make X.509 certificates by itself.
func printCertificates(hosts []string) error {
	authority, authorityKey, err := newAuthority()
	if err != nil {
		return err
	}
	server := template("test-server", x509.ExtKeyUsageServerAuth)
	for _, host := range hosts {
		if address := net.ParseIP(host); address != nil {
			server.IPAddresses = append(server.IPAddresses, address)
		} else {
			server.DNSNames = append(server.DNSNames, host)
		}
	}
	out := certificates{CA: encode("CERTIFICATE", authority.Raw)}
	if out.ServerCert, out.ServerKey, err = issue(server, authority, authorityKey); err != nil {
		return err
	}
	client := template("test-client", x509.ExtKeyUsageClientAuth)
	if out.ClientCert, out.ClientKey, err = issue(client, authority, authorityKey); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func template(commonName string, usage x509.ExtKeyUsage) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: commonName},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{usage},
	}
}

func newAuthority() (*x509.Certificate, *ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	authority := template("test-authority", x509.ExtKeyUsageServerAuth)
	authority.ExtKeyUsage = nil
	authority.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	authority.IsCA = true
	authority.BasicConstraintsValid = true
	raw, err := x509.CreateCertificate(rand.Reader, authority, authority, &key.PublicKey, key)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParseCertificate(raw)
	return parsed, key, err
}

func issue(leaf, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) (cert, keyText string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", "", err
	}
	raw, err := x509.CreateCertificate(rand.Reader, leaf, authority, &key.PublicKey, authorityKey)
	if err != nil {
		return "", "", err
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return "", "", err
	}
	return encode("CERTIFICATE", raw), encode("PRIVATE KEY", private), nil
}

func encode(kind string, raw []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}))
}
