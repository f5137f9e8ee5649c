package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	pgperrors "github.com/ProtonMail/go-crypto/openpgp/errors"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"helm.sh/helm/v4/pkg/provenance"
)

// verifyRequest asks whether somebody with a key of a keyring signed a chart's archive. Its blobs are the archive, the
// provenance file and the keyring.
type verifyRequest struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	// For messages.
	Repository string `json:"repository"`
	// What the archive may be called in what was signed.
	Files []string `json:"files"`
}

// signer is who signed.
type signer struct {
	Type string `json:"type"`
	// Of the key, in hexadecimal.
	Fingerprint string `json:"fingerprint"`
	// As the key says it.
	Identity string `json:"identity"`
	Blobs    []int  `json:"blobs"`
}

// verify finds out as `helm verify` does, and beside that whether the signed chart is the one that is wanted: the
// archive of another one, signed as it should be, could be handed out in its place.
func verify(req *verifyRequest, archive, text, keyring []byte) (*signer, error) {
	keys, err := readKeyring(keyring)
	if err != nil {
		return nil, fail("ChartKeyringInvalid", "The key keyring of the Secret that spec.helm.chart.verify names is no PGP keyring that can be read: %s Put there what `gpg --export` or `gpg --export --armor` writes of the keys that sign the chart.", sentence(shorten(err.Error())))
	}
	subject := fmt.Sprintf("chart %s %s of %s", req.Name, req.Version, req.Repository)
	signatory := &provenance.Signatory{KeyRing: keys}
	var by *openpgp.Entity
	var files []string
	for _, file := range req.Files {
		found, err := signatory.Verify(archive, text, file)
		if err != nil && found.SignedBy == nil {
			return nil, notSigned(subject, text, keys, err)
		}
		by = found.SignedBy
		if err == nil {
			files = append(files, file)
		}
	}
	if err := signedFor(req, subject, text, files, by); err != nil {
		return nil, err
	}
	return &signer{Type: "result", Fingerprint: fingerprint(by), Identity: identity(by), Blobs: []int{}}, nil
}

// signedFor judges what was signed by somebody whom the keyring knows; files are those names of the archive for which
// its digest is the signed one.
func signedFor(req *verifyRequest, subject string, text []byte, files []string, by *openpgp.Entity) error {
	if by == nil {
		return fail("ChartSignatureInvalid", "The provenance file of %s was not looked for under any name.", subject)
	}
	block, _ := clearsign.Decode(text)
	var chart struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	var sums provenance.SumCollection
	if err := provenance.ParseMessageBlock(block.Plaintext, &chart, &sums); err != nil {
		return fail("ChartSignatureInvalid", "The provenance file of %s is signed by %s, and what was signed cannot be read: %s Have the chart packaged and signed anew (helm package --sign).", subject, owner(by), sentence(shorten(yamlReason(err))))
	}
	if len(files) == 0 {
		has := "none"
		for _, file := range req.Files {
			if sum, ok := sums.Files[file]; ok {
				has = shorten(sum)
			}
		}
		return fail("ChartSignatureInvalid", "The provenance file of %s is signed by %s for another archive: of %s it has the digest %s. The archive was changed after it was signed, or is another one; it is not used. Ask who publishes the chart which of the two is right.", subject, owner(by), strings.Join(req.Files, " or "), has)
	}
	if chart.Name != req.Name || !sameVersion(req.Version, chart.Version) {
		return fail("ChartSignatureInvalid", "What %s signed for %s is chart %s %s: another one is handed out in its place, and is not used. Ask who publishes the chart.", owner(by), subject, shorten(chart.Name), shorten(chart.Version))
	}
	return nil
}

// notSigned is what is wrong with a signature itself.
func notSigned(subject string, text []byte, keys openpgp.EntityList, err error) *failure {
	block, _ := clearsign.Decode(text)
	if block == nil {
		return fail("ChartSignatureInvalid", "The provenance file of %s has no PGP signature in it, as `helm package --sign` makes one. Have the chart signed anew, or use a version that is.", subject)
	}
	key := issuer(block)
	switch {
	case errors.Is(err, pgperrors.ErrUnknownIssuer):
		return fail("ChartSignatureInvalid", "The provenance file of %s is signed with the key %s, which may not sign, or is not in the keyring that spec.helm.chart.verify names; that has %s. Ask who publishes the chart whether the key is theirs; add it to the keyring, or use a version that one of its keys signed.", subject, key, listed(keys))
	case errors.Is(err, pgperrors.ErrKeyExpired):
		return fail("ChartSignatureInvalid", "The provenance file of %s is signed with the key %s, which has expired. Put the key as its owner prolonged it into the keyring that spec.helm.chart.verify names, or use a version that another key signed.", subject, key)
	case errors.Is(err, pgperrors.ErrKeyRevoked):
		return fail("ChartSignatureInvalid", "The provenance file of %s is signed with the key %s, which its owner revoked. Use a version that another key signed, and ask who publishes the chart.", subject, key)
	case errors.Is(err, pgperrors.ErrSignatureExpired):
		return fail("ChartSignatureInvalid", "The signature of %s by the key %s has expired. Have the chart signed anew, or use a newer version.", subject, key)
	}
	return fail("ChartSignatureInvalid", "The signature in the provenance file of %s, by the key %s, is not valid: %s It was changed after it was signed, or damaged on its way; the chart is not used. Ask who publishes it.", subject, key, sentence(shorten(strings.TrimPrefix(err.Error(), "openpgp: "))))
}

// mostKeys bounds what is told of a keyring.
const mostKeys = 5

func listed(keys openpgp.EntityList) string {
	var owners []string
	for _, key := range keys {
		if len(owners) == mostKeys {
			return fmt.Sprintf("%s, and %d more", strings.Join(owners, ", "), len(keys)-mostKeys)
		}
		owners = append(owners, owner(key))
	}
	return strings.Join(owners, ", ")
}

// issuer is the key that a signature says it is of: for whom to ask, and believed by nobody.
func issuer(block *clearsign.Block) string {
	packets := packet.NewReader(block.ArmoredSignature.Body)
	for {
		next, err := packets.Next()
		if err != nil {
			return "of no name"
		}
		signature, ok := next.(*packet.Signature)
		switch {
		case ok && len(signature.IssuerFingerprint) > 0:
			return fmt.Sprintf("%X", signature.IssuerFingerprint)
		case ok && signature.IssuerKeyId != nil:
			return fmt.Sprintf("%016X", *signature.IssuerKeyId)
		}
	}
}

func owner(key *openpgp.Entity) string {
	if name := identity(key); name != "" {
		return fmt.Sprintf("%s (%s)", name, fingerprint(key))
	}
	return fingerprint(key)
}

func fingerprint(key *openpgp.Entity) string {
	return fmt.Sprintf("%X", key.PrimaryKey.Fingerprint)
}

// longestIdentity bounds what is told of a key's owner, in bytes.
const longestIdentity = 200

func identity(key *openpgp.Entity) string {
	primary := key.PrimaryIdentity()
	if primary == nil {
		return ""
	}
	name := strings.ToValidUTF8(primary.Name, "")
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, name)
	return strings.ToValidUTF8(name[:min(len(name), longestIdentity)], "")
}

var (
	armored = []byte("-----BEGIN PGP ")
	// Where a keybox says that it is one.
	keybox = []byte("KBXf")
)

// readKeyring reads public keys as gpg exports them; armored ones may stand one after the other.
func readKeyring(data []byte) (openpgp.EntityList, error) {
	if len(data) >= 12 && bytes.Equal(data[8:12], keybox) {
		return nil, errors.New("it is GnuPG's own keybox")
	}
	if !bytes.Contains(data, armored) {
		return someKeys(openpgp.ReadKeyRing(bytes.NewReader(data)))
	}
	var all openpgp.EntityList
	for rest := bytes.NewReader(data); ; {
		block, err := armor.Decode(rest)
		if errors.Is(err, io.EOF) {
			return someKeys(all, nil)
		}
		if err != nil {
			return nil, err
		}
		if block.Type != openpgp.PublicKeyType {
			return nil, fmt.Errorf("it has a %q in it", block.Type)
		}
		keys, err := openpgp.ReadKeyRing(block.Body)
		if err != nil {
			return nil, err
		}
		all = slices.Concat(all, keys)
	}
}

func someKeys(keys openpgp.EntityList, err error) (openpgp.EntityList, error) {
	if err == nil && len(keys) == 0 {
		return nil, errors.New("there is no key in it")
	}
	if err == nil && slices.ContainsFunc(keys, func(key *openpgp.Entity) bool { return key.PrivateKey != nil }) {
		return nil, errors.New("there is a private key in it, which only who signs may have")
	}
	return keys, err
}
