// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC4626} from "@openzeppelin/contracts/token/ERC20/extensions/ERC4626.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

struct Params {
    address loan;
    address collateral;
    address oracle;
    address irm;
    uint256 lltv;
}

struct Market {
    uint128 supplyAssets;
    uint128 supplyShares;
    uint128 borrowAssets;
    uint128 borrowShares;
    uint128 lastUpdate;
    uint128 fee;
}

interface ILender {
    function market(bytes32 id) external view returns (Market memory);

    function idToMarketParams(bytes32 id) external view returns (Params memory);

    function position(bytes32 id, address who) external view returns (uint256, uint128, uint128);

    function supply(Params memory, uint256, uint256, address, bytes memory) external returns (uint256, uint256);

    function withdraw(Params memory, uint256, uint256, address, address) external returns (uint256, uint256);
}

interface IRate {
    function borrowRateView(Params memory, Market memory) external view returns (uint256);
}

/// A vault over markets of Morpho Blue, written for these tests over OpenZeppelin's ERC4626, with the public getters of a MetaMorpho vault.
/// Deposits go along one queue up to each market's cap, withdrawals are taken along the other. Who may do what is told and not enforced,
/// and nothing waits: its owner sets everything at once, what "waits" too.
contract QueuedVault is ERC4626, Ownable {
    using Math for uint256;

    struct Config {
        uint184 cap;
        bool enabled;
        uint64 removableAt;
    }

    struct Pending {
        uint192 value;
        uint64 validAt;
    }

    event SetIsAllocator(address indexed allocator, bool isAllocator);

    uint256 private constant WAD = 1e18;
    ILender public immutable MORPHO;
    uint8 public immutable DECIMALS_OFFSET;
    address public curator;
    address public guardian;
    address public feeRecipient;
    uint96 public fee;
    uint256 public timelock;
    uint256 public lastTotalAssets;
    Pending public pendingTimelock;
    Pending public pendingGuardian;
    bytes32[] public supplyQueue;
    bytes32[] public withdrawQueue;
    mapping(bytes32 => Config) public config;
    mapping(bytes32 => Pending) public pendingCap;
    mapping(address => bool) public isAllocator;

    constructor(ILender morpho, IERC20 asset_, uint8 offset, string memory symbol_)
        ERC20(symbol_, symbol_)
        ERC4626(asset_)
        Ownable(msg.sender)
    {
        (MORPHO, DECIMALS_OFFSET) = (morpho, offset);
        asset_.approve(address(morpho), type(uint256).max);
    }

    function setRoles(address curator_, address guardian_, uint256 timelock_) external onlyOwner {
        (curator, guardian, timelock) = (curator_, guardian_, timelock_);
    }

    function setIsAllocator(address who, bool may) external onlyOwner {
        isAllocator[who] = may;
        emit SetIsAllocator(who, may);
    }

    function setFee(uint96 fee_, address recipient) external onlyOwner {
        _accrue();
        (fee, feeRecipient) = (fee_, recipient);
    }

    function setCap(bytes32 id, uint184 cap, uint192 waiting, uint64 since) external onlyOwner {
        if (!config[id].enabled) withdrawQueue.push(id);
        (config[id].cap, config[id].enabled) = (cap, true);
        pendingCap[id] = Pending(waiting, since);
    }

    function setSupplyQueue(bytes32[] calldata queue) external onlyOwner {
        supplyQueue = queue;
    }

    function supplyQueueLength() external view returns (uint256) {
        return supplyQueue.length;
    }

    function withdrawQueueLength() external view returns (uint256) {
        return withdrawQueue.length;
    }

    /// What the vault has in a market at this moment, interest included that nobody has written down.
    function held(bytes32 id) public view returns (uint256 assets) {
        (assets, ) = _held(id);
    }

    function totalAssets() public view override returns (uint256 total) {
        for (uint256 i; i < withdrawQueue.length; ++i) total += held(withdrawQueue[i]);
    }

    /// What all markets together could pay the vault now.
    function liquid() public view returns (uint256 total) {
        for (uint256 i; i < withdrawQueue.length; ++i) {
            (uint256 assets, uint256 cash) = _held(withdrawQueue[i]);
            total += assets.min(cash);
        }
    }

    function maxWithdraw(address who) public view override returns (uint256) {
        return super.maxWithdraw(who).min(liquid());
    }

    function maxRedeem(address who) public view override returns (uint256) {
        return super.maxRedeem(who).min(_convertToShares(liquid(), Math.Rounding.Floor));
    }

    function _deposit(address caller, address receiver, uint256 assets, uint256 shares) internal override {
        _accrue();
        super._deposit(caller, receiver, assets, shares);
        for (uint256 i; i < supplyQueue.length && assets > 0; ++i) {
            bytes32 id = supplyQueue[i];
            (bool isOver, uint256 room) = uint256(config[id].cap).trySub(held(id));
            uint256 part = isOver ? room.min(assets) : 0;
            if (part > 0) MORPHO.supply(MORPHO.idToMarketParams(id), part, 0, address(this), "");
            assets -= part;
        }
        require(assets == 0, "all caps reached");
        lastTotalAssets = totalAssets();
    }

    function _withdraw(address caller, address receiver, address who, uint256 assets, uint256 shares) internal override {
        _accrue();
        uint256 left = assets;
        for (uint256 i; i < withdrawQueue.length && left > 0; ++i) {
            bytes32 id = withdrawQueue[i];
            (uint256 has, uint256 cash) = _held(id);
            uint256 part = has.min(cash).min(left);
            if (part > 0) MORPHO.withdraw(MORPHO.idToMarketParams(id), part, 0, address(this), address(this));
            left -= part;
        }
        super._withdraw(caller, receiver, who, assets, shares);
        lastTotalAssets = totalAssets();
    }

    function _accrue() private {
        uint256 due = _dueShares();
        lastTotalAssets = totalAssets();
        if (due > 0) _mint(feeRecipient, due);
    }

    /// Shares of the fee on what was gained since it was last counted.
    function _dueShares() private view returns (uint256) {
        uint256 total = totalAssets();
        (, uint256 gained) = total.trySub(lastTotalAssets);
        uint256 part = gained.mulDiv(fee, WAD);
        return part.mulDiv(totalSupply() + 10 ** DECIMALS_OFFSET, total - part + 1);
    }

    function _convertToShares(uint256 assets, Math.Rounding way) internal view override returns (uint256) {
        return assets.mulDiv(totalSupply() + _dueShares() + 10 ** DECIMALS_OFFSET, totalAssets() + 1, way);
    }

    function _convertToAssets(uint256 shares, Math.Rounding way) internal view override returns (uint256) {
        return shares.mulDiv(totalAssets() + 1, totalSupply() + _dueShares() + 10 ** DECIMALS_OFFSET, way);
    }

    function _decimalsOffset() internal view override returns (uint8) {
        return DECIMALS_OFFSET;
    }

    /// What the vault has in a market, and the market's cash.
    function _held(bytes32 id) private view returns (uint256, uint256) {
        Params memory params = MORPHO.idToMarketParams(id);
        Market memory now_ = MORPHO.market(id);
        (uint256 shares, , ) = MORPHO.position(id, address(this));
        uint256 cash = now_.supplyAssets - now_.borrowAssets;
        uint256 assets = now_.supplyAssets;
        uint256 supply = now_.supplyShares;
        uint256 since = block.timestamp - now_.lastUpdate;
        if (since > 0 && params.irm != address(0)) {
            uint256 first = IRate(params.irm).borrowRateView(params, now_) * since;
            uint256 second = (first * first) / (2 * WAD);
            uint256 interest = (now_.borrowAssets * (first + second + (second * first) / (3 * WAD))) / WAD;
            uint256 part = (interest * now_.fee) / WAD;
            assets += interest;
            supply += (part * (supply + 1e6)) / (assets - part + 1);
        }
        return ((shares * (assets + 1)) / (supply + 1e6), cash);
    }
}
