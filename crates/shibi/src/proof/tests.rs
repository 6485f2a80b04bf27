use super::{Demand, Proof, ProofError};
use crate::token::tests::{chain, key};
use crate::{Expiry, Grant, Rights, Token, Trust};

fn rights() -> Rights {
    let trust = Trust::in_roots([*key(1).public()]).at_node(key(1).public());
    chain(2).verify(&trust, 2_000).unwrap()
}

fn demand() -> Demand {
    Demand::new("fs/read", *key(1).public(), 3_000).unwrap()
}

#[test]
fn the_holder_proves_and_nobody_else_can() {
    let (rights, demand) = (rights(), demand());
    let proof = rights.token().prove(&key(3), &demand).unwrap();
    assert_eq!(rights.verify_proof(&proof, &demand, 2_000), Ok(()));
    let stranger = rights.token().prove(&key(2), &demand);
    assert_eq!(stranger, Err(ProofError::NotHolder { holder: key(3).public().unchecked() }));
    let forged = Proof(key(2).sign(&demand.message(rights.token_id())));
    assert_eq!(rights.verify_proof(&forged, &demand, 2_000), Err(ProofError::Mismatch));
}

#[test]
fn a_proof_is_good_for_one_challenge_dispatcher_operation_subject_and_time() {
    let (rights, asked) = (rights(), demand());
    let proof = rights.token().prove(&key(3), &asked).unwrap();
    let others = [
        demand(),
        Demand { audience: key(2).public().unchecked(), ..asked.clone() },
        asked.clone().about([1; 32]),
        Demand { expires: 4_000, ..asked.clone() },
    ];
    for other in others {
        assert_eq!(rights.verify_proof(&proof, &other, 2_000), Err(ProofError::Mismatch));
    }
    assert_eq!(
        rights.verify_proof(&proof, &asked, 3_000),
        Err(ProofError::Late { expires: 3_000 })
    );
}

#[test]
fn a_proof_for_an_operation_the_token_lacks_is_refused() {
    let asked = Demand::new("fs/write", *key(1).public(), 3_000).unwrap();
    let proof = rights().token().prove(&key(3), &asked).unwrap();
    let refused = rights().verify_proof(&proof, &asked, 2_000);
    assert!(matches!(refused, Err(ProofError::Denied(_))));
}

#[test]
fn a_proof_is_good_for_one_token() {
    let trust = Trust::in_roots([*key(1).public()]);
    let mint = || {
        let grant = Grant::new("fs/read", Expiry::Never);
        let token = Token::mint(&key(1), key(3).public(), &grant).unwrap();
        token.verify(&trust, 0).unwrap()
    };
    let (one, other, asked) = (mint(), mint(), demand());
    let proof = one.token().prove(&key(3), &asked).unwrap();
    assert_eq!(one.verify_proof(&proof, &asked, 0), Ok(()));
    assert_eq!(other.verify_proof(&proof, &asked, 0), Err(ProofError::Mismatch));
}

#[test]
fn a_block_signature_is_no_proof() {
    let (rights, asked) = (rights(), demand());
    let signature = Proof(rights.token().blocks[1].signature);
    assert_eq!(rights.verify_proof(&signature, &asked, 2_000), Err(ProofError::Mismatch));
}

#[test]
fn a_proof_survives_its_bytes() {
    let proof = rights().token().prove(&key(3), &demand()).unwrap();
    assert_eq!(Proof::from_bytes(proof.to_bytes()), proof);
}
