/// Who is cheapest, and whether that depends on the costs that were assumed.
public struct Conclusion: Equatable, Sendable {
    /// How a row's order differs between the profiles.
    public enum Change: String, Sendable {
        case none
        /// Another session is cheapest.
        case winner
        /// The cheapest is the same, the order behind it is not.
        case order
    }

    /// By profile: the cheapest sessions' numbers, several where they cost the same; empty where
    /// there is nothing to compare.
    public var winners: [[Int]]
    public var change: Change
}

extension Comparison {
    /// The conclusion of one kind of path. A session in which the kind did not occur, or whose run
    /// failed, takes no part.
    public func conclusion(_ kind: PathKind) -> Conclusion {
        conclude { session, profile in
            runs[session][profile].paths[kind.rawValue]
        } cheaper: {
            $0.isCheaper(than: $1)
        }
    }

    /// The conclusion of a total; differences of less than a thousandth do not count.
    public func conclusion(of total: (ComparedRun) -> UInt64) -> Conclusion {
        conclude { session, profile in
            total(runs[session][profile])
        } cheaper: {
            $0 < $1 && $1 - $0 > $1 / 1000
        }
    }

    private func conclude<Value>(
        _ value: (Int, Int) -> Value?, cheaper: (Value, Value) -> Bool
    ) -> Conclusion {
        let usual = sessions.indices.filter { session in
            runs[session].allSatisfy { $0.failure == nil }
        }
        var winners: [[Int]] = []
        var orders: [[[Int]]] = []
        for profile in profiles.indices {
            let valued = usual.compactMap { session in
                value(session, profile).map { (session, $0) }
            }
            var ranks: [[Int]] = []
            // Sessions that cost the same share a rank; ranks are found by counting who is cheaper.
            let byRank = valued.map { entry in
                (entry.0, valued.filter { cheaper($0.1, entry.1) }.count)
            }
            for rank in 0..<max(1, valued.count) {
                let same = byRank.filter { $0.1 == rank }.map(\.0)
                if !same.isEmpty { ranks.append(same) }
            }
            orders.append(ranks)
            winners.append(valued.count > 1 && ranks.count > 1 ? ranks[0] : [])
        }
        let change: Conclusion.Change =
            !winners.allSatisfy { $0 == winners[0] }
            ? .winner : orders.allSatisfy { $0 == orders[0] } ? .none : .order
        return Conclusion(winners: winners, change: change)
    }
}
