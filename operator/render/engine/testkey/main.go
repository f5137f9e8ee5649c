// Testkey makes a PGP key for tests: `helm package --sign` takes the file that it writes, and what it prints is for
// those who verify.
package main

import (
	"bytes"
	"crypto"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// key is what is printed.
type key struct {
	Fingerprint string `json:"fingerprint"`
	// In base64.
	Public  []byte `json:"public"`
	Armored string `json:"armored"`
}

func main() {
	name := flag.String("name", "Tests", "whose key it is")
	secret := flag.String("secret", "", "the file that the private key is written to")
	made := flag.Duration("made", time.Minute, "how long ago it was made")
	lifetime := flag.Duration("lifetime", 0, "how long it is valid; 0: for ever")
	flag.Parse()
	if err := run(*name, *secret, *made, *lifetime); err != nil {
		fmt.Fprintln(os.Stderr, "make a key:", err)
		os.Exit(1)
	}
}

func run(name, secret string, made, lifetime time.Duration) error {
	at := time.Now().Add(-made)
	entity, err := openpgp.NewEntity(name, "", "tests@example.com", &packet.Config{
		Algorithm:       packet.PubKeyAlgoEdDSA,
		DefaultHash:     crypto.SHA512,
		Time:            func() time.Time { return at },
		KeyLifetimeSecs: uint32(lifetime.Seconds()),
	})
	if err != nil {
		return err
	}
	var private, public, armored bytes.Buffer
	if err := entity.SerializePrivateWithoutSigning(&private, nil); err != nil {
		return err
	}
	if err := os.WriteFile(secret, private.Bytes(), 0o600); err != nil {
		return err
	}
	if err := entity.Serialize(&public); err != nil {
		return err
	}
	writer, err := armor.Encode(&armored, openpgp.PublicKeyType, nil)
	if err != nil {
		return err
	}
	if _, err := writer.Write(public.Bytes()); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(key{
		Fingerprint: fmt.Sprintf("%X", entity.PrimaryKey.Fingerprint),
		Public:      public.Bytes(),
		Armored:     armored.String() + "\n",
	})
}
